// A chart that uPlot draws, with a legend and a list of marks.
// A table shows the points to people who cannot see the chart.

import { h, setText, svg, table } from "./dom.js";
import { STAGES } from "./run.js";

const HEIGHT = 220;
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const dark = matchMedia("(prefers-color-scheme: dark)");

/** Charts of the same title have the same scales, so that two runs can be compared. */
const together = new Map();

export class Chart {
  /** `at` formats x values. `value` formats y values, and `tick` formats the labels of the y axis.
   *  If `lists` is true, a list below the plot explains the marks.
   *  `x` has uPlot's options for an x axis that does not show time. */
  constructor({ title, names, at, value, tick = value, head, x = {}, lists = false }) {
    Object.assign(this, { title, names, at, value, tick, head, x, lists, most: [0, 0], points: {}, marks: [], plot: null });
    this.values = new Map(names.map((name) => [name, h("span", { class: "at" })]));
    this.canvas = h("div", { class: "plot", role: "img" });
    this.list = h("ol", { class: "marks" });
    this.details = h("details", {}, h("summary", {}, `${title} as a table`), h("div", { class: "scroll", tabindex: 0 }));
    this.details.addEventListener("toggle", () => this.drawTable());
    const legend = names.map((name) => h("li", {}, sample(name), STAGES[name].label, this.values.get(name)));
    this.element = h(
      "figure",
      { class: "chart" },
      h("figcaption", {}, h("h3", {}, title)),
      h("ul", { class: "legend" }, legend),
      this.canvas,
      this.list,
      this.details,
    );
    this.group = together.get(title) ?? new Set();
    together.set(title, this.group.add(this));
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.canvas);
    this.onScheme = () => this.plot?.redraw();
    dark.addEventListener("change", this.onScheme);
  }

  destroy() {
    this.observer.disconnect();
    dark.removeEventListener("change", this.onScheme);
    this.group.delete(this);
    this.plot?.destroy();
  }

  /** Draw the points of each stage, and the marks. A point is [x, y]. */
  draw(points, marks = []) {
    Object.assign(this, { points, marks });
    const all = Object.values(points).flat();
    const before = this.limits();
    this.most = [0, 1].map((axis) => Math.max(0, ...all.map((point) => point[axis])));
    this.plot ??= window.uPlot && this.canvas.clientWidth ? this.makePlot() : null;
    this.plot?.setData(this.columns());
    if (String(before) !== String(this.limits())) {
      for (const other of this.group) if (other !== this) other.plot?.setData(other.columns());
    }
    this.canvas.hidden = !window.uPlot;
    this.canvas.setAttribute("aria-label", this.describe());
    this.drawMarks();
    this.drawTable();
    this.drawValues(null);
  }

  limits() {
    return [0, 1].map((axis) => Math.max(...[...this.group].map((chart) => chart.most[axis])));
  }

  columns() {
    const each = this.names.map((name) => {
      const points = [...(this.points[name] ?? [])].sort((one, other) => one[0] - other[0]);
      return [points.map((point) => point[0]), points.map((point) => point[1])];
    });
    return window.uPlot.join(each);
  }

  makePlot() {
    const axis = { stroke: () => css("--muted"), font: "12px system-ui, sans-serif", ticks: { show: false } };
    const grid = { stroke: () => css("--line"), width: 1 };
    const series = this.names.map((name) => ({
      stroke: () => css(`--${name}`),
      dash: STAGES[name].dash,
      width: 2,
      spanGaps: true,
      points: { show: (plot) => plot.data[0].length < 12, size: 6, fill: () => css("--card") },
    }));
    const options = {
      width: this.canvas.clientWidth,
      height: HEIGHT,
      padding: [18, 26, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, y: false },
      scales: {
        x: { time: false, range: () => [0, this.limits()[0] || 1], ...this.x.scale },
        y: { range: () => [0, this.limits()[1] * 1.05 || 1] },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 26, values: (_, splits) => splits.map(this.at), ...this.x.axis },
        { ...axis, grid, size: 58, values: (_, splits) => splits.map((split) => this.tick(split)) },
      ],
      series: [{}, ...series],
      hooks: { draw: [(plot) => this.paintMarks(plot)], setCursor: [(plot) => this.drawValues(plot.cursor.idx)] },
    };
    return new window.uPlot(options, this.columns(), this.canvas);
  }

  resize() {
    const width = this.canvas.clientWidth;
    if (this.plot && width) this.plot.setSize({ width, height: HEIGHT });
    else if (width) this.draw(this.points, this.marks);
  }

  /** Paint a numbered line for each mark. The list of marks explains the numbers. */
  paintMarks(plot) {
    const { ctx, bbox } = plot;
    const scale = devicePixelRatio;
    ctx.save();
    ctx.font = `${11 * scale}px system-ui, sans-serif`;
    ctx.textAlign = "center";
    this.marks.forEach(({ at, kind }, index) => {
      const x = Math.round(plot.valToPos(Math.max(0, at), "x", true));
      if (x > bbox.left + bbox.width + 1) return;
      ctx.strokeStyle = ctx.fillStyle = css(kind === "stall" || kind === "vanish" ? "--bad" : "--good");
      ctx.lineWidth = scale;
      ctx.setLineDash(kind === "stall" || kind === "vanish" ? [] : [4 * scale, 3 * scale]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.fillText(String(index + 1), x, bbox.top - 5 * scale);
    });
    ctx.restore();
  }

  drawMarks() {
    if (!this.lists) return;
    const items = this.marks.map(({ at, kind, text }) => [kind, `${this.at(Math.max(0, at))}: ${text}`]);
    const key = JSON.stringify(items);
    if (key === this.drawn) return;
    this.drawn = key;
    this.list.replaceChildren(...items.map(([kind, text]) => h("li", { "data-kind": kind }, text)));
  }

  /** Show the values at the point under the pointer. `index` is the index of this point.
   *  If `index` is null, show the newest values. */
  drawValues(index) {
    this.names.forEach((name, position) => {
      const column = index === null || index === undefined ? null : this.plot?.data[position + 1];
      const newest = this.points[name]?.at(-1)?.[1];
      const value = column ? column[index] : newest;
      setText(this.values.get(name), value === undefined || value === null ? "" : this.value(value));
    });
  }

  describe() {
    const most = this.names
      .filter((name) => this.points[name]?.length)
      .map((name) => `${STAGES[name].label} at most ${this.value(Math.max(...this.points[name].map(([, y]) => y)))}`);
    return `${this.title}. ${most.join(", ") || "Nothing yet"}. The table below has the numbers.`;
  }

  drawTable() {
    if (!this.details.open) return;
    const rows = new Map();
    this.names.forEach((name, position) => {
      for (const [x, y] of this.points[name] ?? []) {
        const key = this.at(x);
        if (!rows.has(key)) rows.set(key, [x, key, ...this.names.map(() => "")]);
        rows.get(key)[position + 2] = this.value(y);
      }
    });
    const sorted = [...rows.values()].sort((one, other) => one[0] - other[0]).map(([, ...row]) => row);
    const heads = [this.head, ...this.names.map((name) => STAGES[name].label)];
    this.details.lastElementChild.replaceChildren(table(this.title, heads, sorted));
  }
}

/** Return a short piece of a stage's line. It shows which line in the charts belongs to the stage. */
export function sample(name) {
  const line = svg("line", { x1: 0, y1: 5, x2: 30, y2: 5, "stroke-dasharray": STAGES[name].dash.join(" ") || null });
  return svg("svg", { class: "sample", "data-stage": name, width: 30, height: 10, "aria-hidden": "true" }, line);
}
