// The list of runs. Each run is a link. While a run is shown, every run that is not shown has a second link.
// This second link, “compare”, opens the run beside the first run that is shown.

import { listRuns } from "./api.js";
import { byId, h } from "./dom.js";
import { brief, moment } from "./format.js";
import { STATES } from "./run.js";
import { address, shown } from "./state.js";

const FIRST = 12;
const MOST = 100; // the API returns at most 100 runs per request

const list = byId("runs");
const older = byId("older");
let runs = [];
let next = null;

/** Read the newest runs again. Older runs stay in the list, except when the list would have a gap. */
export async function refreshList() {
  try {
    const page = await listRuns(`/runs?limit=${Math.min(Math.max(FIRST, runs.length), MOST)}`);
    const known = new Set(page.runs.map((run) => run.id));
    const oldest = page.runs.at(-1)?.created ?? "";
    const others = runs.filter((run) => !known.has(run.id) && run.created <= oldest);
    // If the response contains none of the listed runs, there may be runs between the response and the listed runs.
    // The list would then have a gap. To avoid a gap, drop the listed runs.
    const kept = runs.some((run) => known.has(run.id)) ? others : [];
    if (!kept.length) next = page.next;
    runs = [...page.runs, ...kept];
    draw();
  } catch {
    // show no error here: status.js shows what is down
  }
}

older.addEventListener("click", async () => {
  older.disabled = true;
  try {
    const page = await listRuns(next);
    runs = [...runs, ...page.runs];
    next = page.next;
    draw();
  } catch (failure) {
    // After 404, there are no older runs: the API has dropped the oldest run of the list. After any other error, the
    // user can click the button again.
    if (failure.status !== 404) return;
    next = null;
    draw();
  } finally {
    older.disabled = false;
  }
});

/** Update a run in the list if its `state` or its `stalled` has changed. */
export function updateInList(run) {
  const index = runs.findIndex(({ id }) => id === run.id);
  const old = runs[index];
  if (!old || (old.state === run.state && old.stalled === run.stalled)) return;
  runs[index] = run;
  draw();
}

/** Draw the list again. The focus stays on the same link. */
export function draw() {
  const focused = list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  list.replaceChildren(...runs.map(item));
  byId("no-runs").hidden = runs.length > 0;
  older.hidden = !next;
  if (focused) list.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

function item(run) {
  const [main] = shown();
  const isShown = shown().includes(run.id);
  const [sign] = STATES[run.state];
  const link = h(
    "a",
    { href: address(run.id), "data-view": true, "aria-current": run.id === main ? "page" : null },
    h("span", { class: "sign", "data-state": run.state, "aria-hidden": "true" }, sign),
    h("span", { class: "what" }, `${run.service} ${brief(run.num_messages)} × ${brief(run.size)} B`),
    h("span", { class: "when" }, `${run.stalled ? "stalled" : run.state}, ${moment(run.created)}`),
  );
  const compare = h("a", { class: "compare", href: address(main, run.id), "data-view": true }, "compare");
  compare.setAttribute("aria-label", `compare with ${run.service} ${brief(run.num_messages)}, ${moment(run.created)}`);
  return h("li", {}, link, main && !isShown ? compare : null);
}
