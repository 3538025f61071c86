// The key metrics as tiles, each with its recent history. There are none if the API has no /metrics.json.

import { getMetrics } from "./api.js";
import { byId, h, svg, table } from "./dom.js";
import { brief, NOTHING } from "./format.js";

const WIDTH = 120;
const HEIGHT = 28;
const section = byId("metrics");
const details = byId("metrics-table");
let newest = [];
let timer = null;

export function watchMetrics() {
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
  details.addEventListener("toggle", drawTable);
  look();
}

async function look() {
  clearTimeout(timer);
  let interval = 5;
  try {
    const answer = await getMetrics();
    newest = answer.metrics;
    interval = answer.interval ?? interval;
    draw();
  } catch (failure) {
    if (failure.status === 404) return;
  }
  if (!document.hidden) timer = setTimeout(look, 1000 * interval);
}

function draw() {
  section.hidden = !newest.length;
  byId("tiles").replaceChildren(...newest.map(tile));
  drawTable();
}

const nameOf = ({ title, name, labels }) => [title ?? name, ...Object.values(labels ?? {})].join(", ");
const valueOf = ({ value, unit }) => (value === null ? NOTHING : `${brief(value)} ${unit ?? ""}`);

function tile(metric) {
  const labels = Object.values(metric.labels ?? {}).join(", ");
  return h(
    "div",
    { class: "tile", title: metric.name },
    h("p", { class: "name" }, metric.title ?? metric.name, labels && h("small", {}, ` ${labels}`)),
    h("p", { class: "value" }, brief(metric.value), " ", h("small", {}, metric.unit ?? "")),
    spark(metric.history ?? []),
  );
}

/** Return the history as a line. The table has its numbers. */
function spark(history) {
  const points = history.filter(([, value]) => value !== null);
  if (points.length < 2) return h("div", { class: "spark" });
  const [first, last] = [points[0][0], points.at(-1)[0]];
  const values = points.map(([, value]) => value);
  const [low, high] = [Math.min(0, ...values), Math.max(...values)];
  const x = (at) => (((at - first) / (last - first || 1)) * WIDTH).toFixed(1);
  const y = (value) => (HEIGHT - 2 - ((value - low) / (high - low || 1)) * (HEIGHT - 4)).toFixed(1);
  const line = points.map(([at, value]) => `${x(at)},${y(value)}`).join(" ");
  return svg(
    "svg",
    { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("polygon", { points: `0,${HEIGHT} ${line} ${WIDTH},${HEIGHT}` }),
    svg("polyline", { points: line, "vector-effect": "non-scaling-stroke" }),
  );
}

function drawTable() {
  if (!details.open) return;
  const rows = newest.map((metric) => {
    const values = (metric.history ?? []).map(([, value]) => value).filter((value) => value !== null);
    const range = values.length ? [brief(Math.min(...values)), brief(Math.max(...values))] : [NOTHING, NOTHING];
    return [nameOf(metric), valueOf(metric), ...range];
  });
  details.querySelector(".scroll").replaceChildren(
    table("Key metrics, now and in their recent history", ["Metric", "Now", "Least", "Most"], rows),
  );
}
