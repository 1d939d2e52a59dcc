// A status on the page. Names in it come from strangers: they become text, never
// markup.

import { showCluster } from "./cluster.js";
import { showChannel, showServer } from "./facts.js";
import * as f from "./format.js";
import { offerGroups } from "./groupfield.js";
import { cell, placed, rows, setText } from "./rows.js";

const $ = (id) => document.getElementById(id);

const loopCells = (r, name) => [
  name, r.state, f.percent(r.busy), f.count(r.sessions), f.short(r.deliveries_per_second),
  f.count(r.ring_depth), f.bytes(r.backlog_bytes), f.seconds(r.latency_p99_seconds),
];

const svgNS = "http://www.w3.org/2000/svg";

function loopRow() {
  const row = document.createElement("tr");
  const name = cell("th", "");
  name.scope = "row";
  const busy = cell("td", "", "n busy");
  const bar = document.createElementNS(svgNS, "svg");
  bar.setAttribute("class", "bar");
  bar.setAttribute("viewBox", "0 0 100 8");
  bar.setAttribute("preserveAspectRatio", "none");
  bar.setAttribute("aria-hidden", "true");
  for (const className of ["track", "fill"]) {
    const rect = document.createElementNS(svgNS, "rect");
    rect.setAttribute("class", className);
    rect.setAttribute("width", 100);
    rect.setAttribute("height", 8);
    bar.append(rect);
  }
  busy.append(bar, cell("span", "", "text"));
  row.append(name, cell("td", "", "state"), busy, ...["sessions", "deliveries", "ring", "backlog", "p99"].map((c) => cell("td", "", `n ${c}`)));
  return row;
}

function showLoops(status) {
  const body = $("loops").tBodies[0], foot = $("loops").tFoot;
  const loops = status.reactors ?? [];
  rows(body, loops.map((r) => loopCells(r, String(r.index))), loopRow);
  rows(foot, [loopCells(status.total, "all")], loopRow);
  [...loops, status.total].forEach((r, i) => {
    const row = i < loops.length ? body.rows[i] : foot.rows[0];
    row.cells[1].dataset.state = row.dataset.state = r.state;
    row.querySelector(".fill").setAttribute("width", (100 * Math.min(1, Math.max(0, r.busy || 0))).toFixed(1));
    for (const [c, v] of [[5, r.ring_depth], [6, r.backlog_bytes]]) row.cells[c].classList.toggle("quiet", v === 0);
  });
}

let groups = []; // as they stand in the table

function groupRow(openGroup) {
  const row = document.createElement("tr");
  const name = cell("th", "");
  name.scope = "row";
  const button = cell("button", "", "name link");
  button.type = "button";
  button.append(cell("bdi", "", "text"));
  button.addEventListener("click", () => openGroup(groups[row.sectionRowIndex].name));
  name.append(button);
  row.append(name, cell("td", "", "n"));
  return row;
}

function showGroups(status, openGroup) {
  groups = status.top_groups ?? [];
  const body = $("groups").tBodies[0];
  rows(body, groups.map((g) => [f.visibleName(g.name), f.count(g.members)]), () => groupRow(openGroup));
  groups.forEach((g, i) => {
    const button = body.rows[i].querySelector("button"), whole = f.visibleName(g.name);
    if (button.title !== whole) button.title = whole;
  });
  $("groups").hidden = groups.length === 0;
  $("groups-empty").hidden = groups.length > 0;
  offerGroups(groups.map((g) => g.name));
}

function listenerRow() {
  const row = document.createElement("tr");
  const kind = cell("th", "");
  kind.scope = "row";
  row.append(kind, cell("td", "", "name whole"), cell("td", "", "state"));
  return row;
}

function showListeners(status) {
  const listeners = status.listeners ?? [];
  const body = $("listeners").tBodies[0];
  rows(body, listeners.map((l) => [l.kind, f.visible(l.address), l.state]), listenerRow);
  listeners.forEach((l, i) => {
    const [, address, state] = body.rows[i].cells;
    if (!address.firstElementChild) placed(address);
    state.dataset.state = l.state;
  });
}

function showNumbers(s) {
  const now = (key, text) => setText(document.querySelector(`[data-now="${key}"]`), text);
  const hint = (id, text) => setText($(id).querySelector("[data-hint]"), text);
  const t = s.total;
  now("sessions", f.count(t.sessions));
  hint("chart-sessions", `of ${f.count(s.max_connections)} at most`);
  now("deliveries", f.short(t.deliveries_per_second));
  hint("chart-deliveries", `of ${f.short(t.messages_per_second)} messages/s`);
  now("p50", f.seconds(t.latency_p50_seconds));
  now("p99", f.seconds(t.latency_p99_seconds));
  hint("chart-latency", t.latency_p99_seconds > 0 ? "from publish to flush" : "nothing delivered");
  now("backlog", f.bytes(t.backlog_bytes));
  hint("chart-backlog", t.backlog_sessions > 0 ? `unread, in ${f.plural(t.backlog_sessions, "session")}` : "nobody reads slowly");
}

// showTrends says beside the small charts what they end at.
export function showTrends(sample, status) {
  setText($("memory-now"), f.bytes(status.resident_bytes));
  setText($("cpu-now"), `${f.cpus(sample?.cpus)} of ${f.count(status.cpus)}`);
}

// showStatus puts a status on the page.
export function showStatus(s, openGroup) {
  setText($("about"), [f.visible(s.host), f.visible(s.version), `up ${f.duration(s.uptime_seconds)}`].join(" · "));
  document.title = `groupcast · ${f.visible(s.host)}`;
  showNumbers(s);
  showLoops(s);
  showGroups(s, openGroup);
  showListeners(s);
  showServer(s);
  showChannel(s);
  showCluster(s);
}

// showState sets the word beside the name; stale dims what it was said of.
export function showState(state, stale) {
  const pill = $("state");
  setText(pill, state);
  pill.dataset.state = state;
  document.body.classList.toggle("stale", stale);
}

// notice says what is wrong, in a sentence; the empty one is nothing.
export function notice(text, kind = "bad") {
  const n = $("notice");
  setText(n, text); // a live region: it is read out when it changes
  n.dataset.kind = kind;
  n.hidden = text === "";
}
