// A status on the page. Names in it come from strangers: they become text, never
// markup.

import * as f from "./format.js";

const $ = (id) => document.getElementById(id);

const cell = (tag, text, className = "") => {
  const e = document.createElement(tag);
  e.textContent = text;
  if (className) e.className = className;
  return e;
};

// setText touches the page only where something changed.
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// rows makes body have one row for each list of cells; a cell is its text. Rows
// stay where they are, so that nothing jumps under a reader's cursor.
function rows(body, all, make) {
  while (body.rows.length > all.length) body.rows[body.rows.length - 1].remove();
  all.forEach((texts, i) => {
    let row = body.rows[i];
    if (!row) {
      row = make();
      body.append(row);
    }
    texts.forEach((text, j) => setText(row.cells[j].querySelector(".text") ?? row.cells[j], text));
  });
}

const reactorCells = (r, name) => [
  name, r.state, f.percent(r.busy), f.count(r.sessions), f.short(r.deliveries_per_second),
  f.count(r.ring_depth), f.bytes(r.backlog_bytes), f.seconds(r.latency_p99_seconds),
];

const svgNS = "http://www.w3.org/2000/svg";

function reactorRow() {
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
  row.append(name, cell("td", "", "state"), busy, ...Array.from({ length: 5 }, () => cell("td", "", "n")));
  return row;
}

function showReactors(status) {
  const body = $("reactors").tBodies[0], foot = $("reactors").tFoot;
  const reactors = status.reactors ?? [];
  rows(body, reactors.map((r) => reactorCells(r, String(r.index))), reactorRow);
  rows(foot, [reactorCells(status.total, "all")], reactorRow);
  [...reactors, status.total].forEach((r, i) => {
    const row = i < reactors.length ? body.rows[i] : foot.rows[0];
    row.cells[1].dataset.state = r.state;
    row.querySelector(".fill").setAttribute("width", (100 * Math.min(1, Math.max(0, r.busy || 0))).toFixed(1));
  });
}

function groupRow() {
  const row = document.createElement("tr");
  const name = cell("th", "", "name");
  name.scope = "row";
  name.append(cell("bdi", "", "text"));
  row.append(name, cell("td", "", "n"));
  return row;
}

let offered = "";

function showGroups(status) {
  const groups = status.top_groups ?? [];
  rows($("groups").tBodies[0], groups.map((g) => [f.visible(g.name), f.count(g.members)]), groupRow);
  $("groups-empty").hidden = groups.length > 0;
  const key = JSON.stringify(groups.map((g) => g.name));
  if (key === offered) return;
  offered = key;
  $("group-names").replaceChildren(...groups.map((g) => {
    const option = document.createElement("option");
    option.value = g.name;
    return option;
  }));
}

function listenerRow() {
  const row = document.createElement("tr");
  const kind = cell("th", "");
  kind.scope = "row";
  row.append(kind, cell("td", "", "name"), cell("td", "", "state"));
  return row;
}

function showListeners(status) {
  const listeners = status.listeners ?? [];
  const body = $("listeners").tBodies[0];
  rows(body, listeners.map((l) => [l.kind, f.visible(l.address), l.state]), listenerRow);
  listeners.forEach((l, i) => {
    body.rows[i].cells[2].dataset.state = l.state;
  });
}

// facts fills a description list with [term, text] pairs.
function facts(list, pairs) {
  while (list.children.length > pairs.length) list.lastElementChild.remove();
  pairs.forEach(([term, text], i) => {
    let pair = list.children[i];
    if (!pair) {
      pair = document.createElement("div");
      pair.append(document.createElement("dt"), document.createElement("dd"));
      list.append(pair);
    }
    setText(pair.children[0], term);
    setText(pair.children[1], text);
  });
}

function showServer(s) {
  const of = (v, most) => `${f.count(v)} of ${f.count(most)}`;
  facts($("facts"), [
    ["Connections", of(s.connections, s.max_connections)],
    ["Handshakes now", f.count(s.handshakes)],
    ["Accepted", f.count(s.accepted)],
    ["Refused", f.count(s.refused)],
    ["Closed", f.count(s.closed)],
    ["Accept errors", f.count(s.accept_errors)],
    ["Last order", f.count(s.order)],
    ["Waiting to publish", f.count(s.outside_waiting)],
    ["Refused, overloaded", f.count(s.overloaded)],
    ["Commands in error", f.count(s.total.errors)],
    ["Slow readers closed", f.count(s.total.slow_readers)],
    ["Rings found full", f.count(s.total.ring_full)],
    ["Memberships", f.count(s.total.memberships)],
    ["Received", `${f.bytes(s.total.bytes_in_per_second)}/s`],
    ["Sent", `${f.bytes(s.total.bytes_out_per_second)}/s`],
    ["Memory", f.bytes(s.resident_bytes)],
    ["CPU time", f.duration(s.cpu_seconds)],
    [`Load, ${f.count(s.cpus)} CPUs`, (s.load ?? []).map((v) => v.toFixed(2)).join("  ")],
    ["Process", `${s.pid}, ${s.go}`],
    ["Started", new Date(s.started_at).toLocaleString("en-GB")],
  ]);
}

function showChannel(s) {
  $("channel").hidden = !s.channel;
  if (s.channel) {
    const c = s.channel;
    facts($("channel").querySelector("dl"), [
      ["Connections", f.count(c.connections)], ["Channels", f.count(c.channels)],
      ["Subscriptions", f.count(c.subscriptions)], ["Events in", f.count(c.events_in)],
      ["Events out", f.count(c.events_out)], ["Dropped", f.count(c.dropped)],
      ["Bad frames", f.count(c.bad_frames)], ["Queued", f.count(c.queued)],
    ]);
  }
  $("channel-join").hidden = !s.channel_join;
  if (s.channel_join) {
    const c = s.channel_join;
    const pairs = [
      ["Address", f.visible(c.address)],
      ["State", `${c.connected ? "connected" : "not connected"} for ${f.duration((new Date(s.taken_at) - new Date(c.since)) / 1000)}`],
      ["Reconnects", f.count(c.reconnects)], ["Forwarded", f.count(c.forwarded)],
      ["Not forwarded", f.count(c.not_forwarded)], ["Received", f.count(c.received)],
    ];
    if (c.last_error) pairs.push(["Last error", f.visible(c.last_error)]);
    facts($("channel-join").querySelector("dl"), pairs);
  }
}

function showNumbers(s) {
  const now = (key, text) => setText(document.querySelector(`[data-now="${key}"]`), text);
  const hint = (id, text) => setText($(id).querySelector("[data-hint]"), text);
  now("sessions", f.count(s.total.sessions));
  hint("chart-sessions", `of ${f.count(s.max_connections)} connections at most`);
  now("deliveries", f.short(s.total.deliveries_per_second));
  hint("chart-deliveries", `${f.short(s.total.deliveries)} since the start`);
  now("p50", f.seconds(s.total.latency_p50_seconds));
  now("p99", f.seconds(s.total.latency_p99_seconds));
  hint("chart-latency", s.total.latency_p99_seconds > 0 ? "over the last 10 s" : "nothing delivered in the last 10 s");
  now("backlog", f.bytes(s.total.backlog_bytes));
  hint("chart-backlog", `in ${f.count(s.total.backlog_sessions)} ${s.total.backlog_sessions === 1 ? "session" : "sessions"}; ${f.count(s.total.ring_depth)} waiting in the rings`);
}

// showStatus puts a status on the page.
export function showStatus(s) {
  setText($("about"), [f.visible(s.host), f.visible(s.version), `up ${f.duration(s.uptime_seconds)}`].join(" · "));
  document.title = `groupcast · ${f.visible(s.host)}`;
  showNumbers(s);
  showReactors(s);
  showGroups(s);
  showListeners(s);
  showServer(s);
  showChannel(s);
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
