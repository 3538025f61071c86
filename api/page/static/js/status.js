// Says in words when the API, Kafka, RabbitMQ or a service is down, and when it is back.

import { getReady } from "./api.js";
import { announce, byId, h, setText, whileShown } from "./dom.js";

const READY_MS = 5000;
const AGAIN_MS = 2000;
const NAMES = {
  kafka: "Kafka is down",
  rabbitmq: "RabbitMQ is down",
  ping: "Service ping is down",
  pong: "Service pong is down",
  "ping consumer": "Ping does not consume yet",
  "pong consumer": "Pong does not consume yet",
};

let before = null;

/** Check every few seconds if everything works. Call `onBack` when everything works again after a failure. */
export function watch(onBack) {
  whileShown(() => look(onBack));
}

async function look(onBack) {
  let trouble = null;
  try {
    await getReady();
  } catch (failure) {
    trouble = describe(failure);
  }
  tell(trouble, onBack);
  return trouble ? AGAIN_MS : READY_MS;
}

function describe(failure) {
  if (!failure.status) return { title: "The API is down", detail: "Nothing answers at this address." };
  const failing = failure.problem.failing ?? [];
  return { title: failing.map((name) => NAMES[name] ?? name).join(", ") || "Not ready", detail: failure.message };
}

function tell(trouble, onBack) {
  const title = trouble?.title ?? null;
  const ready = byId("ready");
  ready.dataset.state = trouble ? "trouble" : "ready";
  setText(ready, trouble ? trouble.title : "Ready");
  const banner = byId("trouble");
  banner.hidden = !trouble;
  if (title === before) return;
  if (trouble) {
    const hint = "This page tries again by itself.";
    banner.replaceChildren(h("strong", {}, `${trouble.title}.`), ` ${trouble.detail} ${hint}`);
  } else if (before) {
    announce("Everything works again.");
    onBack();
  }
  before = title;
}
