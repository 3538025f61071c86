// Computes what the page shows of a run: rates over time, marks on the time axis, losses. This module draws nothing.

export const STAGES = {
  sent: { label: "Sent", service: null, dash: [] },
  pong_received: { label: "Pong received", service: "pong", dash: [8, 4] },
  pong_answered: { label: "Pong answered", service: "pong", dash: [2, 3] },
  ping_received: { label: "Ping received", service: "ping", dash: [12, 3, 2, 3] },
};

export const STATES = {
  accepted: ["◌", "waiting for its service"],
  sending: ["▶", "sending"],
  bouncing: ["⇄", "all sent, messages on their way"],
  done: ["✓", "done"],
  failed: ["✕", "failed"],
  stopped: ["■", "stopped"],
};

const EDGE = 0.3; // the first or the last step gets no rate if it is shorter than this share of a full step
const STALL_SECONDS = 2;
const SAME_SECONDS = 2;
const VERBS = {
  stall: ["stalls", "stall"],
  resume: ["goes on", "go on"],
  appear: ["appears", "appear"],
  vanish: ["vanishes", "vanish"],
};

export const isOver = (run) => ["done", "failed", "stopped"].includes(run.state);
export const stageNames = (run) => Object.keys(run.stages);
export const lastStage = (run) => run.stages[stageNames(run).at(-1)];

const time = (iso) => Date.parse(iso) / 1000;

/** Return when the run began, in seconds since the epoch. The time axes begin there. */
export const begin = (run) => time(run.stages.sent.first ?? run.created);

/** Return how many seconds the run has taken so far. */
export function elapsed(run, now) {
  if (!run.stages.sent.first) return 0;
  return Math.max(0, (isOver(run) ? time(run.finished) : now) - begin(run));
}

const isWaiting = (run, name) => !isOver(run) && run.stages[name].distinct + run.stages[name].failed < run.num_messages;

/** Return the rates of a stage as [seconds since the run began, messages per second]. */
export function rates(run, name, now) {
  const stage = run.stages[name];
  const points = [];
  const add = (at, value) => points.push([at - begin(run), value]);
  if (!stage.timeline) return points;
  const { step, messages } = stage.timeline;
  const [start, first, last] = [time(stage.timeline.start), time(stage.first), time(stage.last)];
  messages.forEach((count, index) => {
    // Leave out the time before the first message and after the last message. This time would make the rate too low.
    const from = Math.max(start + index * step, first);
    const to = Math.min(start + (index + 1) * step, last);
    if (to - from >= EDGE * step) add((from + to) / 2, count / (to - from));
  });
  if (points.length < 2 && stage.message_rate) {
    points.length = 0;
    add(first, stage.message_rate);
    add(last, stage.message_rate);
  }
  if (isWaiting(run, name) && now - last > STALL_SECONDS) {
    add(Math.min(last + 0.5, now), 0);
    add(now, 0);
  }
  return points;
}

/** Return the marks {at, kind, text} for the events of stages and instances, ordered by time.
 *  Events of the same kind within SAME_SECONDS become one mark. */
export function marks(run, now) {
  const found = [...stalls(run, now), ...instanceEvents(run)].sort((one, other) => one.at - other.at);
  const joined = [];
  for (const mark of found) {
    const same = joined.find(({ at, kind }) => kind === mark.kind && mark.at - at < SAME_SECONDS);
    if (!same) joined.push({ ...mark, who: [mark.who] });
    else if (!same.who.includes(mark.who)) same.who.push(mark.who);
  }
  return joined.map(({ at, kind, who }) => ({ at, kind, text: `${who.join(", ")} ${VERBS[kind][who.length > 1 ? 1 : 0]}` }));
}

function stalls(run, now) {
  return stageNames(run).flatMap((name, index, names) => {
    const before = run.stages[names[index - 1]];
    return gaps(run, name, before, now)
      .filter(([from, to]) => !before || countUntil(before, to ?? now) > countUntil(run.stages[name], from))
      .flatMap(([from, to]) => {
        const mark = (at, kind) => ({ at: at - begin(run), kind, who: STAGES[name].label });
        return [mark(from, "stall"), ...(to ? [mark(to, "resume")] : [])];
      });
  });
}

/** Return the pauses of a stage as [from, to], in seconds since the epoch. `to` is null if the pause has not ended. */
function gaps(run, name, before, now) {
  const stage = run.stages[name];
  const found = [];
  if (before?.first) {
    const [from, to] = [time(before.first), stage.first && time(stage.first)];
    if ((to ?? now) - from > STALL_SECONDS && (to || isWaiting(run, name))) found.push([from, to]);
  }
  if (!stage.timeline) return found;
  const { step, messages } = stage.timeline;
  const start = time(stage.timeline.start);
  let empty = 0;
  messages.forEach((count, index) => {
    if (count && empty * step >= STALL_SECONDS) {
      found.push([start + (index - empty) * step, start + index * step]);
    }
    empty = count ? 0 : empty + 1;
  });
  const end = start + messages.length * step;
  if (isWaiting(run, name) && now - end > STALL_SECONDS) found.push([end, null]);
  return found;
}

/** Return how many messages a stage has seen by this time. */
function countUntil(stage, at) {
  if (!stage.timeline) return 0;
  const start = time(stage.timeline.start);
  return stage.timeline.messages
    .filter((_, index) => start + index * stage.timeline.step < at)
    .reduce((sum, count) => sum + count, 0);
}

/** Return when instances appear and vanish. */
function instanceEvents(run) {
  const found = [];
  for (const name of stageNames(run)) {
    const service = STAGES[name].service ?? run.service;
    for (const [instance, spans] of Object.entries(run.stages[name].presence ?? {})) {
      for (const { from, to } of spans) {
        for (const [at, kind] of [[from, "appear"], [to, "vanish"]]) {
          if (at) found.push({ at: time(at) - begin(run), kind, who: `${service} ${instance}` });
        }
      }
    }
  }
  return found;
}

/** Return the counts that matter most: [name, number, explanation]. */
export function losses(run) {
  const each = (member) => Object.values(run.stages).map((stage) => stage[member]);
  // A message that comes twice at one stage usually comes twice at later stages, too. A sum would count it again.
  const most = (member) => Math.max(...each(member));
  const missing = lastStage(run).missing;
  return [
    ["Missing", missing, isOver(run) ? "sent and not arrived" : "sent and on their way"],
    ["Duplicates", most("duplicates"), "came more than once"],
    ["Out of order", most("out_of_order"), "came after a higher number"],
    ["Failed", each("failed").reduce((total, count) => total + count), "Kafka did not take them"],
  ];
}
