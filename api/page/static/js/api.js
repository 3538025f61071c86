// The requests to the API.

/** An error from the API or the network. `status` is 0 if there was no response. */
export class Failure extends Error {
  constructor(status, detail, problem = {}) {
    super(detail);
    this.status = status;
    this.problem = problem;
  }
}

/** The time of the API's clock minus the time of the browser's clock, in seconds. */
let ahead = 0;

/** Return the API's time, in seconds since the epoch. */
export const now = () => Date.now() / 1000 + ahead;

/** A GET request fails after READ_MS without a complete response. Any other request fails after WRITE_MS. */
const READ_MS = 10000;
const WRITE_MS = 30000;

async function request(method, path) {
  const signal = AbortSignal.timeout(method === "GET" ? READ_MS : WRITE_MS);
  let response, text;
  try {
    response = await fetch(path, { method, headers: { Accept: "application/json" }, signal });
    text = await response.text();
  } catch {
    throw new Failure(0, "The API does not answer.");
  }
  const date = Date.parse(response.headers.get("Date")) / 1000;
  const difference = date - Date.now() / 1000;
  // The header Date has only whole seconds, so ignore a difference of at most 2 seconds.
  ahead = Math.abs(difference) > 2 ? difference : 0;
  const body = parsed(text);
  if (!response.ok) throw new Failure(response.status, body.detail ?? `The API answered ${response.status}.`, body);
  return body;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

export const runPath = (id) => `/runs/${encodeURIComponent(id)}`;
export const eventsPath = (id) => `${runPath(id)}/events`;

export const getRun = (id) => request("GET", runPath(id));
export const stopRun = (id) => request("DELETE", runPath(id));
export const listRuns = (path) => request("GET", path);
export const getReady = () => request("GET", "/readyz");
export const getMetrics = () => request("GET", "/metrics.json");

/** Start a run. An empty rate means as fast as possible. */
export function startRun({ service, messages, size, rate }) {
  const path = [service, messages, size].map(encodeURIComponent).join("/");
  return request("POST", `/${path}${rate ? `?rate=${encodeURIComponent(rate)}` : ""}`);
}
