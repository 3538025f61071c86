// The form that starts a run.

import { startRun } from "./api.js";
import { announce, byId, setText } from "./dom.js";
import { address, show } from "./state.js";

const form = byId("start");
const button = form.querySelector("button");

export function prepareForm(onStarted) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wrong = [...form.elements].find((field) => field.willValidate && !field.checkValidity());
    for (const field of form.querySelectorAll("input[inputmode]")) {
      field.toggleAttribute("aria-invalid", field === wrong);
    }
    if (wrong) {
      say(`${wrong.labels[0].firstChild.textContent.trim()}: a whole number in plain digits, please.`);
      wrong.focus();
      return;
    }
    await start(Object.fromEntries(new FormData(form)), onStarted);
  });
}

/** Start a run and show it. */
export async function start(asked, onStarted) {
  if (button.disabled) return; // "Run again" was clicked twice
  say("");
  button.disabled = true;
  try {
    const { id } = await startRun(asked);
    announce("The run is accepted.");
    show(address(id));
    onStarted();
  } catch (failure) {
    say(failure.message);
  } finally {
    button.disabled = false;
  }
}

/** Put the numbers of a run into the form. */
export function copyIntoForm(run) {
  form.elements.service.value = run.service;
  form.elements.messages.value = run.num_messages;
  form.elements.size.value = run.size;
  form.elements.rate.value = run.rate ?? "";
}

function say(text) {
  setText(byId("start-error"), text);
}
