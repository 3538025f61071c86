// The key metrics as tiles, each with its recent history.

import { getMetrics } from "./api.js";
import { byId, h, svg, table, whileShown } from "./dom.js";
import { brief, NOTHING } from "./format.js";

const PACE_MS = 5000;
const UNITS = {
  messages_per_second: "msg/s",
  bytes_per_second: "B/s",
  seconds: "s",
  bytes: "B",
  ratio: "× mean",
  messages: "",
};
const WIDTH = 120;
const HEIGHT = 28;
const section = byId("metrics");
const details = byId("metrics-table");
let newest = [];

export function watchMetrics() {
  details.addEventListener("toggle", drawTable);
  whileShown(look);
}

async function look() {
  try {
    newest = tilesOf(await getMetrics());
    draw();
  } catch {
    // Keep the old tiles. The line at the top says what is down.
  }
  return PACE_MS;
}

/** Return the label, the value and the history of each metric, for each combination of labels.
 *  The histogram of latencies is left out, because the view of a run has charts of latencies. */
function tilesOf({ times, metrics }) {
  return Object.entries(metrics)
    .filter(([, metric]) => metric.type !== "histogram")
    .flatMap(([name, { help, values, history }]) => {
      const named = { name, help, ...nameAndUnit(name) };
      if (!history) return sums(values).map(({ labels, value }) => ({ ...named, labels, value, history: [] }));
      return history.map((series) => {
        const points = series.values.map((value, index) => [times[index], value]);
        return { ...named, labels: series.labels, value: points.at(-1)?.[1] ?? null, history: points };
      });
    });
}

/** Add up a counter over its partitions. */
function sums(values) {
  const found = new Map();
  for (const { labels: { partition, ...labels }, value } of values) {
    const key = JSON.stringify(labels);
    found.set(key, { labels, value: value + (found.get(key)?.value ?? 0) });
  }
  return [...found.values()];
}

/** Split the name of a metric: "pingpong_topic_log_bytes" has the title "Topic log" and the unit "B". */
function nameAndUnit(name) {
  const bare = name.replace(/^pingpong_/, "").replace(/_total$/, "");
  const suffix = Object.keys(UNITS).find((one) => bare.endsWith(`_${one}`)) ?? "";
  const words = (UNITS[suffix] ? bare.slice(0, -suffix.length - 1) : bare).replaceAll("_", " ");
  return { title: words[0].toUpperCase() + words.slice(1), unit: UNITS[suffix] ?? "" };
}

function draw() {
  section.hidden = !newest.length;
  // Metrics without a history have no tile. Only the table shows them.
  byId("tiles").replaceChildren(...newest.filter(({ history }) => history.length).map(tile));
  drawTable();
}

const nameOf = ({ title, labels }) => [title, ...Object.values(labels)].join(", ");
const valueOf = ({ value, unit }) => (value === null ? NOTHING : `${brief(value)} ${unit}`);

function tile(metric) {
  const labels = Object.values(metric.labels).join(", ");
  return h(
    "div",
    { class: "tile", title: `${metric.name}: ${metric.help}` },
    h("p", { class: "name" }, metric.title, labels && h("small", {}, ` ${labels}`)),
    h("p", { class: "value" }, brief(metric.value), " ", h("small", {}, metric.unit)),
    spark(metric.history),
  );
}

/** Draw the history as a line. Screen readers skip the line, because the table has the numbers. */
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
    const values = metric.history.map(([, value]) => value).filter((value) => value !== null);
    const range = values.length ? [brief(Math.min(...values)), brief(Math.max(...values))] : [NOTHING, NOTHING];
    return [nameOf(metric), valueOf(metric), ...range];
  });
  details.querySelector(".scroll").replaceChildren(
    table("Key metrics, now and in their recent history", ["Metric", "Now", "Least", "Most"], rows),
  );
}
