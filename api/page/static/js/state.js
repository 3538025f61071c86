// The address says what the page shows: /?run=ID, or /?run=ID&with=ID to compare two runs.

const listeners = [];

/** Return the ids of the runs to show: none, one or two. */
export function shown() {
  const query = new URLSearchParams(location.search);
  const ids = [query.get("run"), query.get("with")].map((id) => id?.toLowerCase()); // as the API writes them
  return ids.filter((id, index) => id && ids.indexOf(id) === index);
}

export function address(run, other) {
  const query = new URLSearchParams({ ...(run && { run }), ...(other && { with: other }) });
  return query.size ? `/?${query}` : "/";
}

export function show(path) {
  history.pushState(null, "", path);
  query = location.search;
  tell();
}

export function onShown(listener) {
  listeners.push(listener);
}

function tell() {
  for (const listener of listeners) listener(shown());
}

// A link within the page, such as "Skip to the run", changes only the hash of the address. It also causes "popstate".
// Then the view must not change, so compare the queries.
let query = location.search;
addEventListener("popstate", () => {
  if (query !== location.search) {
    query = location.search;
    tell();
  }
});

// A link with data-view changes the view without loading the page again.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-view]");
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!link || !plain) return;
  event.preventDefault();
  show(link.getAttribute("href"));
});
