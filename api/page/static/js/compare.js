// Compares two runs in a table. Each row shows one figure: the value in each run, and the difference.

import { h, table } from "./dom.js";
import { brief, count, milliseconds, NOTHING, seconds } from "./format.js";
import { elapsed, lastStage, losses, STAGES, stageNames } from "./run.js";
import { now } from "./api.js";

export class Comparison {
  constructor() {
    this.runs = new Map();
    this.body = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Comparison" });
    this.element = h("section", { class: "card compared" }, h("h2", {}, "Two runs compared"), this.body);
  }

  update(ids, run) {
    this.runs.set(run.id, run);
    const [one, other] = ids.map((id) => this.runs.get(id));
    if (!one || !other) return;
    const rows = figures(one, other).map(([name, show, a, b]) => [name, show(a), show(b), difference(a, b)]);
    const heads = ["Figure", ...[one, other].map((each) => `${each.service} ${brief(each.num_messages)} × ${brief(each.size)} B`), "Difference"];
    this.body.replaceChildren(table("The first run, the second one, and the difference", heads, rows));
  }
}

function figures(one, other) {
  const both = (name, show, of) => [name, show, of(one), of(other)];
  const names = stageNames(one).filter((name) => name in other.stages);
  return [
    both("Time", seconds, (run) => elapsed(run, now())),
    ...names.map((name) => both(`${STAGES[name].label}, msg/s`, brief, (run) => run.stages[name].message_rate)),
    both("Last stage, p50", milliseconds, (run) => lastStage(run).latency_ms?.p50 ?? null),
    both("Last stage, p99", milliseconds, (run) => lastStage(run).latency_ms?.p99 ?? null),
    ...losses(one).map(([name], index) => both(name, count, (run) => losses(run)[index][1])),
  ];
}

function difference(a, b) {
  if (a === null || b === null) return NOTHING;
  if (a === b) return "same";
  if (!a) return `+${brief(b)}`;
  const percent = (100 * (b - a)) / a;
  return `${percent > 0 ? "+" : "−"}${Math.abs(percent).toFixed(Math.abs(percent) < 10 ? 1 : 0)} %`;
}
