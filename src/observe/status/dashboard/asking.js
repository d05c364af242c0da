// Asking the server: the two documents, again and again.

let paused = false;
let lastResponse = null;
const failing = new Set();  // the documents whose last request failed
let sleepers = [];

const resting = () => paused || document.hidden;
const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));
/** Ends at once, or as soon as the page is looked at again and not paused. */
const awake = () => resting() ? new Promise((wake) => sleepers.push(wake)) : null;

function wakeAll() {
  showState();
  if (resting()) return;
  sleepers.forEach((wake) => wake());
  sleepers = [];
}

/** Asks again and again, and never while a request is under way: a slow server is asked less often. */
async function poll(path, period, show) {
  for (let wait = period; ; await sleep(wait)) {
    await awake();
    const news = await ask(path);
    wait = news ? period : Math.min(2 * wait, BACK_OFF_MAX_MS);
    showState();
    if (news && !paused) show(news);
  }
}

async function ask(path) {
  try {
    const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const news = await response.json();
    lastResponse = new Date();
    failing.delete(path);
    return news;
  } catch {
    failing.add(path);
    return null;
  }
}

function showState() {
  const time = lastResponse?.toLocaleTimeString("en-GB");
  const state = paused ? "paused" : failing.size || !lastResponse ? "lost" : "live";
  const texts = {
    live: "live",
    paused: `paused at ${time ?? "the start"}`,
    lost: time ? `no answer since ${time}, trying again` : "no answer yet, trying again",
  };
  byId("status").dataset.state = state;
  say(byId("status"), texts[state]);
}

byId("pause").addEventListener("click", () => {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", paused);
  say(byId("pause"), paused ? "go on" : "pause");
  wakeAll();
});
document.addEventListener("visibilitychange", wakeAll);
