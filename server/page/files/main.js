// The page: asks for a status once a second and shows it.

import { hasToken, isToken, Refusal, request, setToken } from "./api.js";
import { Chart, windowMs } from "./chart.js";
import { bytes, clock, seconds, short } from "./format.js";
import { startListen } from "./listen.js";
import { startPublish } from "./publish.js";
import { notice, showState, showStatus } from "./view.js";

const everyMs = 1_000, patienceMs = 5_000;
// Older numbers are called old: the server samples once a second.
const oldMs = 5_000;

const $ = (id) => document.getElementById(id);

const charts = [
  new Chart($("chart-sessions"), { title: "Sessions", lines: [{ key: "sessions" }], format: short, least: 10 }),
  new Chart($("chart-deliveries"), { title: "Deliveries per second", lines: [{ key: "deliveries" }], format: (v) => `${short(v)}/s`, least: 10 }),
  new Chart($("chart-latency"), { title: "Latency from publish to flush", lines: [{ key: "p50", name: "p50" }, { key: "p99", name: "p99" }], format: seconds, least: 1e-4 }),
  new Chart($("chart-backlog"), { title: "Backlog", lines: [{ key: "backlog" }], format: bytes, least: 1024, binary: true }),
];

let samples = [];
let last = null; // {taken, started, changedAt}: of the latest status
let lostSince = null;
let timer = 0;
let asking = false;

function remember(sample) {
  const now = Date.now();
  samples.push({ t: now, ...sample });
  // The clock may have been set back: what seems to be later than now goes too.
  samples = samples.filter((s) => s.t > now - windowMs - 2 * everyMs && s.t <= now);
}

const measured = (v) => (v > 0 ? v : null);

function take(s) {
  const now = Date.now();
  lostSince = null;
  showStatus(s);
  offer(s.listeners ?? []);
  if (last && last.started !== s.started_at) remember({ lost: true });
  if (!last || last.taken !== s.taken_at) {
    last = { taken: s.taken_at, started: s.started_at, changedAt: now };
    remember({
      sessions: s.total.sessions,
      deliveries: s.total.deliveries_per_second,
      p50: measured(s.total.latency_p50_seconds),
      p99: measured(s.total.latency_p99_seconds),
      backlog: s.total.backlog_bytes,
    });
  }
  const old = now - last.changedAt > oldMs;
  showState(s.state, old);
  if (s.state === "draining") notice("The server is draining: it lets nobody in, takes no more messages and will be gone soon.", "warn");
  else if (old) notice(`The server answers, but its numbers have not changed since ${clock(new Date(last.changedAt))}.`, "warn");
  else if (s.state !== "ok") notice(`The server is ${s.state}: a loop of it does not answer. The table of reactors says which.`, "bad");
  else notice("");
  askForToken(false);
}

function fail(err) {
  if (err instanceof Refusal && err.status === 401) {
    // Somebody who has to type a token first has lost nothing yet.
    if (samples.length) remember({ lost: true });
    showState("locked", true);
    notice("");
    // Without a token nothing is new: what the form has said of the last one stays to be read.
    askForToken(true, hasToken() ? "The server does not take this token." : null);
    return;
  }
  remember({ lost: true });
  lostSince ??= new Date();
  showState("unreachable", true);
  notice(err instanceof Refusal
    ? `The server does not give its status: ${err.message} (since ${clock(lostSince)}; trying again every second)`
    : `No answer from the server since ${clock(lostSince)}. Trying again every second.`);
  document.title = "groupcast · unreachable";
}

function askForToken(wanted, error = "") {
  const form = $("token-form");
  if (form.hidden === wanted) {
    form.hidden = !wanted;
    // Whoever is busy elsewhere is not to be interrupted.
    if (wanted && document.activeElement === document.body) $("token").focus();
  }
  if (error !== null && $("token-error").textContent !== error) $("token-error").textContent = error;
  const forget = $("forget");
  if (!hasToken() && document.activeElement === forget) $("theme").focus();
  forget.hidden = !hasToken();
}

let generation = 0; // of the token: an answer to an older one means nothing

async function ask() {
  clearTimeout(timer);
  if (asking) return;
  asking = true;
  const began = performance.now(), asked = generation;
  try {
    const status = await request("GET", "v1/status", { patienceMs });
    if (asked === generation) take(status);
  } catch (err) {
    if (asked === generation) fail(err);
  } finally {
    asking = false;
    draw();
    timer = setTimeout(ask, asked === generation ? Math.max(0, everyMs - (performance.now() - began)) : 0);
  }
}

function draw() {
  if (document.hidden) return;
  const now = Date.now();
  for (const chart of charts) chart.draw(samples, now);
}

function useToken(text) {
  setToken(text);
  generation++;
  askForToken(!$("token-form").hidden, "");
  ask();
}

$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("token").value.trim();
  if (!isToken(text)) {
    $("token-error").textContent = "A token has no spaces, and nothing but ASCII.";
    return;
  }
  $("token").value = "";
  useToken(text);
});
$("forget").addEventListener("click", () => useToken(""));

const theme = $("theme");
theme.value = document.documentElement.dataset.theme ?? "auto";
theme.addEventListener("change", () => {
  if (theme.value === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
  try {
    localStorage.setItem("groupcast.theme", theme.value);
  } catch {
    // It holds until the page is loaded again.
  }
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) ask();
});

const offer = startListen();
startPublish(ask);
askForToken(false);
draw();
ask();
