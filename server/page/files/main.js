// The page: asks for a status once a second and shows it.

import { hasToken, isToken, Refusal, request, setToken } from "./api.js";
import { Chart, scales } from "./chart.js";
import { showEvents, tone } from "./events.js";
import { bytes, bytesTick, clock, count, cpus, seconds, secondsTick, short, shortTick } from "./format.js";
import { startGroups } from "./groups.js";
import { startListen } from "./listen.js";
import { Past } from "./past.js";
import { startPublish } from "./publish.js";
import { reach } from "./rows.js";
import { startSessions } from "./sessions.js";
import { notice, showState, showStatus, showTrends } from "./view.js";

const everyMs = 1_000, lockedEveryMs = 5_000, patienceMs = 5_000;
// Older numbers are called old: the server samples once a second.
const oldMs = 5_000;
// The history is asked for at the start, when something has happened, when the page was
// away, and now and then.
const historyEveryMs = 10_000;

const $ = (id) => document.getElementById(id);

const one = (key) => [{ key }];
const charts = [
  new Chart($("chart-sessions"), { title: "Sessions", lines: one("sessions"), format: count, tick: shortTick, least: 10 }),
  new Chart($("chart-deliveries"), { title: "Deliveries per second", lines: one("deliveries"), format: (v) => `${short(v)}/s`, tick: shortTick, least: 10 }),
  new Chart($("chart-latency"), {
    title: "Latency from publish to flush, on a logarithmic axis", lines: [{ key: "p50", name: "p50" }, { key: "p99", name: "p99" }],
    format: seconds, tick: secondsTick, least: 1e-4, scale: scales.logarithmic,
  }),
  new Chart($("chart-backlog"), { title: "Backlog", lines: one("backlog"), format: bytes, tick: bytesTick, least: 1024, scale: scales.binary }),
  new Chart($("chart-memory"), { title: "Resident memory", lines: one("memory"), format: bytes, tick: bytesTick, least: 1024, scale: scales.around, spark: true }),
  new Chart($("chart-cpu"), { title: "Processors at work", lines: one("cpus"), format: cpus, tick: cpus, least: 1, spark: true }),
];

const past = new Past();
let last = null; // the latest status
let changedAt = 0; // when it came
let lostSince = null;
let timer = 0;
let asking = false;
let locked = false;
let historyDue = 0; // when it is to be asked for, by performance.now

// happenings rise, or change, when there may be a new event.
const happenings = (s) => JSON.stringify([
  s.state, s.refused, s.accept_errors, s.overloaded, s.total.errors, s.total.slow_readers, s.started_at,
  s.channel?.dropped, s.channel?.bad_frames, s.channel_join?.not_forwarded, s.channel_join?.connected,
  s.cluster && [s.cluster.state, s.cluster.name_taken, s.cluster.messages_lost, s.cluster.losses_told, s.cluster.slow_consumer],
  s.cluster?.nodes?.map((n) => n.name + n.state + n.channel_join),
]);

function take(s) {
  const now = Date.now();
  if (lostSince || locked) historyDue = 0; // it knows what was in between
  lostSince = null;
  locked = false;
  $("all").hidden = false;
  showStatus(s, openGroup);
  offer(s.listeners ?? []);
  if (!last || last.taken_at !== s.taken_at) {
    past.status(s, last);
    if (last && happenings(last) !== happenings(s)) historyDue = 0;
    last = s;
    changedAt = now;
  }
  showTrends(past.samples.findLast((x) => typeof x.cpus === "number"), s);
  const old = now - changedAt > oldMs;
  showState(s.state, old);
  if (s.state === "draining") notice("The server is draining: it lets nobody in, takes no more messages and will be gone soon.", "warn");
  else if (old) notice(`The server answers, but its numbers have not changed since ${clock(new Date(changedAt))}.`, "warn");
  else if (s.state !== "ok") notice(`The server is ${s.state}: a loop of it does not answer. The table of loops says which.`, "bad");
  else notice("");
  askForToken(false);
}

function fail(err) {
  if (err instanceof Refusal && err.status === 401) {
    past.lost();
    locked = true;
    showState("locked", true);
    notice("");
    document.title = "groupcast · sign in";
    $("about").textContent = "";
    // Without a token nothing is new: what the form has said of the last one stays to be read.
    askForToken(true, hasToken() ? "The server does not take this token." : null);
    return;
  }
  past.lost();
  locked = false;
  lostSince ??= new Date();
  $("all").hidden = false;
  askForToken(false, null);
  showState("unreachable", true);
  notice(err instanceof Refusal
    ? `The server does not give its status: ${err.message} (since ${clock(lostSince)}; trying again every second)`
    : `No answer from the server since ${clock(lostSince)}. Trying again every second.`);
  document.title = "groupcast · unreachable";
}

// askForToken shows the form and nothing else, or all but the form.
function askForToken(wanted, error = "") {
  const form = $("token-form");
  if (wanted) {
    $("all").hidden = true;
    for (const open of document.querySelectorAll("dialog[open]")) open.close();
  }
  document.body.classList.toggle("locked", wanted);
  if (form.hidden === wanted) {
    form.hidden = !wanted;
    if (wanted && (document.activeElement === null || document.activeElement === document.body)) $("token").focus();
  }
  if (error !== null && $("token-error").textContent !== error) $("token-error").textContent = error;
  const forget = $("forget");
  const leave = wanted || !hasToken();
  if (leave && document.activeElement === forget) $("theme").focus();
  forget.hidden = leave;
}

let generation = 0; // of the token: an answer to an older one means nothing

async function ask() {
  clearTimeout(timer);
  if (asking) return;
  asking = true;
  const began = performance.now(), asked = generation;
  try {
    const wantHistory = !locked && began >= historyDue; // one refusal at a time is enough
    const answers = [request("GET", "v1/status", { patienceMs })];
    if (wantHistory) answers.push(request("GET", "v1/history", { patienceMs }));
    const [status, history] = await Promise.all(answers);
    if (asked === generation) {
      if (history) {
        historyDue = began + historyEveryMs;
        past.history(history);
      }
      take(status);
    }
  } catch (err) {
    if (asked === generation) fail(err);
  } finally {
    asking = false;
    draw();
    const every = locked ? lockedEveryMs : historyDue === 0 && !lostSince ? everyMs / 10 : everyMs;
    timer = setTimeout(ask, asked === generation ? Math.max(0, every - (performance.now() - began)) : 0);
  }
}

function draw() {
  if (document.hidden) return;
  const now = past.now();
  const marks = past.events.map((e) => ({ from: e.from, to: e.to, tone: tone(e) }));
  for (const chart of charts) chart.draw(past.samples, marks, now);
  showEvents(past.events, now);
}

function useToken(text) {
  setToken(text);
  generation++;
  historyDue = 0;
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
  if (document.hidden) return;
  historyDue = 0; // a hidden page asks once a minute or less
  ask();
});

const { offer, join } = startListen();
const openSession = startSessions((name) => openGroup(name), () => past.now());
const openGroup = startGroups(join, openSession);
startPublish(ask);
for (const element of document.querySelectorAll(".scroll")) reach(element);
askForToken(false);
ask();
