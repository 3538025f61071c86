// One run on the page: its head, its progress, its charts and its tables.

import { now, runPath, stopRun } from "./api.js";
import { Chart } from "./chart.js";
import { announce, h, setText } from "./dom.js";
import { distribution, percentile, progress, shares, stageTable } from "./figures.js";
import { copyIntoForm, start } from "./form.js";
import { brief, clock, count, latency, milliseconds, moment, plural, rate, seconds } from "./format.js";
import { elapsed, isOver, losses, marks, rates, STAGES, stageNames, STATES } from "./run.js";

const SAMPLES = 600;
const DISTRIBUTION = {
  scale: { distr: 3, log: 10, range: () => [2, 10000] },
  axis: { splits: () => [2, 10, 100, 1000, 10000], filter: (_, splits) => splits },
};

export class View {
  /** `speaks`: screen readers announce this run's changes. With two runs on the page, only the first one speaks. */
  constructor(id, { speaks, onStarted }) {
    Object.assign(this, { id, speaks, onStarted, run: null, samples: { p50: {}, p99: {} }, bars: new Map(), told: null, failure: null });
    this.element = h("article", { class: "run", "aria-busy": "true" }, h("p", { class: "card muted" }, "Looking for the run …"));
  }

  destroy() {
    for (const chart of Object.values(this.charts ?? {})) chart.destroy();
  }

  /** Show why there is no such run. */
  gone(failure) {
    this.element.replaceChildren(
      h("div", { class: "card" }, h("h2", {}, "This run cannot be shown"), h("p", {}, failure.message)),
    );
    this.element.removeAttribute("aria-busy");
  }

  update(run) {
    const before = this.run?.state;
    this.run = run;
    if (!this.charts) this.build();
    this.takeSample();
    this.draw();
    if (this.speaks && before && before !== run.state) this.tell();
  }

  /** Draw again although nothing has arrived: the elapsed time grows, and a stage can stall.
   *  Call this only while the stream is open. Otherwise it would show stalls although the run goes on. */
  tick() {
    if (this.charts && !isOver(this.run)) this.draw();
  }

  build() {
    const names = stageNames(this.run);
    const name = this.id.slice(0, 8);
    const time = { names, at: clock, head: "Time" };
    this.charts = {
      rates: new Chart({ ...time, title: "Messages per second", value: rate, tick: brief, lists: true }),
      p50: new Chart({ ...time, title: "Latency so far, p50", value: milliseconds, tick: latency }),
      p99: new Chart({ ...time, title: "Latency so far, p99", value: milliseconds, tick: latency }),
      distribution: new Chart({
        names, at: percentile, head: "Percentile", value: milliseconds, tick: latency, x: DISTRIBUTION, title: "Latency distribution",
      }),
    };
    const scrolling = { class: "scroll", tabindex: 0, role: "region" };
    this.parts = {
      about: h("p", { class: "about" }),
      title: h("h2", {}),
      state: h("p", { class: "state" }),
      reason: h("p", { class: "reason" }),
      stop: h("button", { type: "button", class: "danger", onclick: () => this.stop() }, "Stop"),
      again: h("button", { type: "button", onclick: () => this.again() }, "Run again"),
      losses: h("dl", { class: "losses" }),
      progress: h("ul", { class: "progress" }),
      stages: h("div", { ...scrolling, "aria-label": `Figures of each stage, run ${name}` }),
      partitions: h("div", { ...scrolling, "aria-label": `Partitions, run ${name}` }),
      instances: h("div", { ...scrolling, "aria-label": `Instances, run ${name}` }),
      latencies: h("div", { class: "pair" }, this.charts.p50.element, this.charts.p99.element),
    };
    this.element.removeAttribute("aria-busy");
    this.element.replaceChildren(...this.sections());
  }

  sections() {
    const parts = this.parts;
    const download = h("a", { class: "button", href: runPath(this.id), download: `run-${this.id}.json` }, "Download JSON");
    const card = (...children) => h("section", { class: "card" }, ...children);
    return [
      h(
        "header",
        { class: "card head" },
        h("div", {}, parts.about, parts.title, parts.state, parts.reason),
        h("div", { class: "actions" }, parts.stop, parts.again, download),
      ),
      parts.losses,
      card(h("h3", {}, "How far each stage is"), parts.progress, parts.stages),
      card(this.charts.rates.element),
      card(parts.latencies, this.charts.distribution.element),
      card(h("h3", {}, "Partitions and instances"), h("div", { class: "shared" }, parts.partitions, parts.instances)),
    ];
  }

  draw() {
    const { run, parts, charts } = this;
    const at = now();
    const points = Object.fromEntries(stageNames(run).map((name) => [name, rates(run, name, at)]));
    const found = marks(run, at);
    this.drawHead(at);
    charts.rates.draw(points, found);
    parts.latencies.hidden = Object.values(this.samples.p50).every((each) => each.length < 2);
    for (const key of ["p50", "p99"]) charts[key].draw(this.samples[key], found);
    charts.distribution.draw(Object.fromEntries(stageNames(run).map((name) => [name, distribution(run, name)])));
    parts.losses.replaceChildren(...losses(run).map((each) => loss(each, isOver(run))));
    const rows = progress(run, this.bars);
    if (!parts.progress.children.length) parts.progress.append(...rows);
    parts.stages.replaceChildren(stageTable(run));
    parts.partitions.replaceChildren(shares(run, "partitions", "Partition"));
    parts.instances.replaceChildren(shares(run, "instances", "Instance"));
    this.tellMarks(found);
  }

  drawHead(at) {
    const { run, parts } = this;
    const [sign, words] = STATES[run.state];
    const paced = run.rate ? `, ${count(run.rate)} per second` : "";
    const behind = run.stages.sent.behind_seconds > 0.1 ? `The run is ${seconds(run.stages.sent.behind_seconds)} behind its schedule.` : "";
    setText(parts.about, `Run ${run.id.slice(0, 8)}, ${moment(run.created)}, ${run.client}, ${run.delivery}`);
    setText(parts.title, `${plural(run.num_messages, "message")} of ${plural(run.size, "byte")} from ${run.service}${paced}`);
    parts.state.dataset.state = run.stalled ? "failed" : run.state;
    setText(parts.state, `${sign} ${run.stalled ? `stalled at ${STAGES[run.stalled].label}` : words}, ${seconds(elapsed(run, at))}`);
    setText(parts.reason, [isOver(run) ? null : this.failure, behind, run.reason].filter(Boolean).join(" "));
    parts.stop.hidden = isOver(run);
  }

  /** Remember the latencies of this moment. The journal has only the newest distribution, not how it changed. */
  takeSample() {
    if (isOver(this.run)) return;
    const at = elapsed(this.run, now());
    for (const key of ["p50", "p99"]) {
      for (const name of stageNames(this.run)) {
        const value = this.run.stages[name].latency_ms?.[key];
        const samples = (this.samples[key][name] ??= []);
        if (value !== undefined) samples.push([at, value]);
        if (samples.length > SAMPLES) this.samples[key][name] = samples.filter((_, index) => index % 2);
      }
    }
  }

  tell() {
    const { run } = this;
    const [, words] = STATES[run.state];
    const counts = isOver(run) ? losses(run).map(([name, number]) => `${name.toLowerCase()} ${count(number)}`) : [];
    announce([`Run ${words}`, ...counts].join(", ") + ".");
  }

  /** Announce each mark that was not in the last drawing. The first drawing announces nothing. */
  tellMarks(found) {
    const texts = found.map(({ text }) => text);
    const old = [...(this.told ?? texts)];
    // A new mark can be in front of old marks, and two marks can have the same text. Therefore, for each old mark,
    // leave out one mark with the same text.
    const fresh = texts.filter((text) => {
      const index = old.indexOf(text);
      if (index >= 0) old.splice(index, 1);
      return index < 0;
    });
    if (this.speaks && fresh.length) announce(fresh.join(". "));
    this.told = texts;
  }

  async stop() {
    this.parts.stop.disabled = true;
    this.failure = null;
    try {
      await stopRun(this.id); // ignore the response: the stream may already have shown a newer state
      announce("The run is asked to stop.");
    } catch (failure) {
      this.failure = failure.message;
      this.draw();
      this.parts.stop.disabled = false;
    }
  }

  async again() {
    copyIntoForm(this.run);
    const { service, num_messages: messages, size, rate: pace } = this.run;
    await start({ service, messages, size, rate: pace }, this.onStarted);
  }
}

function loss([name, number, explanation], isFinal) {
  const isOnTheWay = name === "Missing" && !isFinal;
  const sign = isOnTheWay ? "…" : number ? "!" : "✓";
  return h(
    "div",
    { "data-some": number > 0 && !isOnTheWay },
    h("dt", {}, name),
    h("dd", { title: count(number) }, brief(number), h("span", { class: "sign", "aria-hidden": "true" }, sign)),
    h("dd", { class: "muted" }, explanation),
  );
}
