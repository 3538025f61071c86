// Makes elements. Text is never parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element. A property is a listener if its name begins with "on". All other properties are attributes. */
export function h(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

export function svg(name, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, name), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Set an element's text, but do nothing if the element already has this text.
 *  If the same text were set, browsers would draw it again, and screen readers would announce it again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Return a table with a caption. The first cell of a row is the header of this row. */
export function table(caption, heads, rows) {
  const cells = ([first, ...others]) => [h("th", { scope: "row" }, first), ...others.map((cell) => h("td", {}, cell))];
  return h(
    "table",
    {},
    h("caption", {}, caption),
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, cells(row)))),
  );
}

/** Tell users of screen readers what has changed. */
export function announce(text) {
  setText(byId("news"), text);
}

/** Call `look` again and again while the tab is shown. `look` returns the milliseconds until its next call. */
export function whileShown(look) {
  let timer = null;
  const turn = async () => {
    clearTimeout(timer);
    const pause = await look();
    if (!document.hidden) timer = setTimeout(turn, pause);
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : turn()));
  turn();
}
