// The figures of a run as tables: by stage, by partition and by instance.

import { sample } from "./chart.js";
import { h } from "./dom.js";
import { brief, count, milliseconds } from "./format.js";
import { isOver, STAGES, stageNames } from "./run.js";

const COLUMNS = {
  "msg/s": (stage) => brief(stage.message_rate),
  "MB/s": (stage) => brief(stage.byte_rate),
  p50: (stage) => milliseconds(stage.latency_ms?.p50),
  p99: (stage) => milliseconds(stage.latency_ms?.p99),
  max: (stage) => milliseconds(stage.latency_ms?.max),
  missing: (stage) => count(stage.missing),
  duplicates: (stage) => count(stage.duplicates),
  "out of order": (stage) => count(stage.out_of_order),
  failed: (stage) => count(stage.failed),
};
const COUNTS = ["duplicates", "out of order", "failed"];
const PERCENTILES = ["p50", "p90", "p99", "p99_9", "p99_99"];

/** Return a list item for each stage. A text and a bar show how far the stage is.
 *  `bars` keeps the elements for the next call. The browser can animate a bar only if the element stays the same. */
export function progress(run, bars) {
  for (const name of stageNames(run)) {
    const stage = run.stages[name];
    if (!bars.has(name)) {
      const bar = h("progress", { "aria-label": STAGES[name].label, "data-stage": name });
      const text = h("span", { class: "far" });
      bars.set(name, { bar, text, row: h("li", {}, h("span", {}, sample(name), STAGES[name].label), text, bar) });
    }
    const { bar, text } = bars.get(name);
    bar.max = run.num_messages;
    bar.value = stage.distinct;
    const share = Math.floor((100 * stage.distinct) / run.num_messages);
    text.textContent = `${count(stage.distinct)} of ${count(run.num_messages)}, ${share} %`;
  }
  return [...bars.values()].map(({ row }) => row);
}

export function stageTable(run) {
  const heads = Object.keys(COLUMNS).map((name) => h("th", { scope: "col" }, name));
  const rows = stageNames(run).map((name) => {
    const cells = Object.entries(COLUMNS).map(([column, show]) => {
      const text = show(run.stages[name]);
      const isLoss = column === "missing" ? isOver(run) : COUNTS.includes(column);
      return h("td", { class: isLoss && text !== "0" ? "some" : null }, text);
    });
    return h("tr", {}, h("th", { scope: "row" }, STAGES[name].label), cells);
  });
  const caption = h("caption", { class: "hidden" }, "Figures of each stage");
  return h("table", {}, caption, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Stage"), heads)), h("tbody", {}, rows));
}

/** Return a table of the messages at each stage, by partition or by instance. A bar is drawn below each number. */
export function shares(run, member, title) {
  const names = stageNames(run);
  const keys = new Set(names.flatMap((name) => Object.keys(run.stages[name][member])));
  const sorted = [...keys].sort((one, other) => one.localeCompare(other, "en", { numeric: true }));
  const heads = ["", ...names.map((name) => STAGES[name].label)].map((text) => h("th", { scope: "col" }, text || title));
  const rows = sorted.map((key) => {
    const cells = names.map((name) => {
      const counts = run.stages[name][member];
      const value = counts[key];
      if (value === undefined) return h("td", { class: "none" }, "–");
      const bar = h("span", { class: "bar", "data-stage": name });
      bar.style.inlineSize = `${(100 * value) / Math.max(...Object.values(counts))}%`;
      return h("td", {}, count(value), bar);
    });
    return h("tr", {}, h("th", { scope: "row" }, key), cells);
  });
  const caption = h("caption", { class: "hidden" }, `Messages by ${title.toLowerCase()}`);
  return h("table", { class: "shares" }, caption, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows));
}

/** Return the points of the latency distribution. x is 1 / (1 - percentile / 100), and y is in ms. */
export function distribution(run, name) {
  const latency = run.stages[name].latency_ms;
  if (!latency) return [];
  return PERCENTILES.map((key) => [1 / (1 - Number(`0.${key.slice(1).replace("_", "")}`)), latency[key]]);
}

/** Return the name of the percentile at this place on the x axis of the distribution. */
export const percentile = (x) => `p${Number((100 - 100 / x).toFixed(3))}`;
