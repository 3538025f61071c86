// Puts the page together.

import { Comparison } from "./compare.js";
import { byId, h } from "./dom.js";
import { prepareForm } from "./form.js";
import { draw, refreshList, updateInList } from "./list.js";
import { onShown, shown } from "./state.js";
import { watch } from "./status.js";
import { follow } from "./stream.js";
import { watchMetrics } from "./tiles.js";
import { View } from "./view.js";

const TICK_MS = 500;
const LIST_MS = 10000;
const box = byId("view");
let views = [];

function showRuns(ids) {
  for (const { view, stop } of views) {
    stop();
    view.destroy();
  }
  const comparison = ids.length > 1 ? new Comparison() : null;
  views = ids.map((id, index) => open(id, index, (run) => comparison?.update(ids, run)));
  box.dataset.count = ids.length;
  const elements = views.map(({ view }) => view.element);
  box.replaceChildren(...(comparison ? [comparison.element] : []), ...(elements.length ? elements : [welcome()]));
  document.title = ids.length ? `Run ${ids.map((id) => id.slice(0, 8)).join(" and ")} · Ping and pong` : "Ping and pong";
  draw();
}

function open(id, index, onRun) {
  const view = new View(id, { speaks: index === 0, onStarted });
  const { stop, isLive } = follow(
    id,
    (run) => {
      view.update(run);
      updateInList(run);
      onRun(run);
    },
    (failure) => view.gone(failure),
  );
  return { view, stop, isLive };
}

function welcome() {
  const stage = (name, text) => h("li", {}, h("b", {}, name), h("span", {}, text));
  return h(
    "div",
    { class: "card welcome" },
    h("h2", {}, "Start a run, and watch every message"),
    h("p", {}, "Each run sends messages through Kafka. The page shows live what happens to the messages."),
    h(
      "ol",
      { class: "path" },
      stage("Sent", "ping sends, Kafka acknowledges"),
      stage("Pong received", "pong takes the message"),
      stage("Pong answered", "pong sends an answer"),
      stage("Ping received", "ping takes the answer"),
    ),
    h("p", { class: "muted" }, "Or choose an earlier run. Then every other run in the list has a link “compare”."),
  );
}

/** Scroll to a run that has just been started. On a phone, the run is below the form. */
function onStarted() {
  refreshList();
  if (box.getBoundingClientRect().top > innerHeight / 2) box.scrollIntoView();
}

onShown(showRuns);
prepareForm(onStarted);
showRuns(shown());
refreshList();
watch(refreshList);
watchMetrics();
setInterval(() => views.forEach(({ view, isLive }) => isLive() && view.tick()), TICK_MS);
setInterval(() => document.hidden || refreshList(), LIST_MS);
