// Follows a run by server-sent events. A hidden tab closes its stream, because a browser opens at most six
// connections to a site.

import { eventsPath, getRun } from "./api.js";
import { isOver, lastStage } from "./run.js";

const AGAIN_MS = 2000;

/** Call `onRun` with the run, now and after each change. Call `onGone` if there is no such run.
 *  Return a function that stops these calls, and one that says if the event stream is open. */
export function follow(id, onRun, onGone) {
  let source = null;
  let timer = null;
  let ended = false;

  function stop() {
    clearTimeout(timer);
    source?.close();
    source = timer = null;
  }

  function take(run) {
    if (ended) return;
    onRun(run);
  }

  async function look() {
    stop();
    if (ended || document.hidden) return;
    try {
      const run = await getRun(id);
      take(run);
      if (isOver(run) && !lastStage(run).missing) return end();
      listen();
    } catch (failure) {
      if (failure.status === 404 || failure.status === 400) {
        if (!ended) onGone(failure);
        return end();
      }
      again();
    }
  }

  function listen() {
    if (ended || document.hidden) return;
    stop();
    source = new EventSource(eventsPath(id));
    source.addEventListener("run", (event) => take(JSON.parse(event.data)));
    source.addEventListener("end", end);
    // An EventSource reconnects by itself, unless the API has answered with an error or with 204.
    source.addEventListener("error", () => source?.readyState === EventSource.CLOSED && again());
  }

  function again() {
    stop();
    if (!ended) timer = setTimeout(look, AGAIN_MS);
  }

  function onVisibility() {
    if (document.hidden) stop();
    else look();
  }

  function end() {
    ended = true;
    stop();
    document.removeEventListener("visibilitychange", onVisibility);
  }

  document.addEventListener("visibilitychange", onVisibility);
  look();
  return { stop: end, isLive: () => source?.readyState === EventSource.OPEN };
}
