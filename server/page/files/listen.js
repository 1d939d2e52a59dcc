// The box that joins a group over a WebSocket, as any client does, and lists what
// arrives. It speaks the subprotocol groupcast.v1.

import { closeWords } from "./closecodes.js";
import { clock, count, visible, visibleName } from "./format.js";
import { groupOf, setGroup, startGroupField } from "./groupfield.js";

const subprotocol = "groupcast.v1";
const keep = 200; // entries in the list
const showChars = 4_000; // of one message
const retryMs = 1_000, retryMostMs = 10_000;
// Silence is closed after 110 s by default, and browsers cannot ping.
const pingMs = 30_000;

export function startListen() {
  const $ = (id) => document.getElementById(id);
  const at = $("listen-at"), url = $("listen-url"), group = $("listen-group"), toggle = $("listen-toggle");
  const say = $("say-message"), sayButton = $("say-button");
  const log = $("log"), list = log.firstElementChild;

  let wanted = null; // {url, group}, once somebody wants to listen
  let socket = null, joined = false, request = 0, retry = 0, attempts = 0, sooner = 0, pinger = 0;
  let arrived = 0, counter = 0;
  let waiting = []; // entries to be shown with the next frame

  const state = (text, kind = "") => {
    const s = $("listen-state");
    if (s.textContent !== text) s.textContent = text;
    s.dataset.kind = kind;
    clearInterval(counter);
    $("listen-countdown").textContent = "";
  };

  // countdown says how long it takes until the next attempt; it is not read aloud,
  // second after second.
  const countdown = (ms) => {
    const until = Date.now() + ms;
    const say = () => {
      const left = Math.max(0, Math.ceil((until - Date.now()) / 1000));
      $("listen-countdown").textContent = `Next attempt in ${count(left)} s.`;
    };
    clearInterval(counter);
    counter = setInterval(say, 1000);
    say();
  };

  const show = () => {
    toggle.textContent = wanted ? "Leave" : "Join";
    for (const field of [at, url, group]) field.disabled = wanted !== null;
    if (!joined && document.activeElement === say) toggle.focus();
    say.disabled = sayButton.disabled = !joined;
  };

  // Many messages come at once: the list is touched once a frame.
  const enter = (kind, text) => {
    if (waiting.length === 0) requestAnimationFrame(flush);
    waiting.push({ kind, text, when: new Date() });
    if (waiting.length > keep) waiting.shift();
  };

  const flush = () => {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 8;
    for (const { kind, text, when } of waiting) {
      const item = document.createElement("li");
      item.dataset.kind = kind;
      const time = document.createElement("time");
      time.dateTime = when.toISOString();
      time.textContent = clock(when, true);
      const body = document.createElement("bdi");
      body.textContent = text.length > showChars
        ? `${visible(text.slice(0, showChars), true)}… (${count(text.length)} characters)`
        : visible(text, true);
      item.append(time, " ", body);
      list.append(item);
    }
    waiting = [];
    while (list.childElementCount > keep) list.firstElementChild.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
    tally();
  };

  const tally = () => {
    $("log-count").textContent = arrived === 0 ? "" : `${count(arrived)} ${arrived === 1 ? "message" : "messages"}` + (arrived > keep ? `, the last ${keep} kept` : "");
  };

  const command = (c) => socket.send(JSON.stringify({ ...c, req_id: ++request }));

  const open = () => {
    state(`Connecting to ${wanted.url} …`);
    let s;
    try {
      s = new WebSocket(wanted.url, [subprotocol]);
    } catch (err) {
      wanted = null;
      show();
      state(`Not an address for a WebSocket: ${err.message}`, "bad");
      return;
    }
    socket = s;
    let opened = false, join = 0;
    s.onopen = () => {
      if (socket !== s) return;
      opened = true;
      command({ cmd: "add_group", group_id: wanted.group });
      join = request;
      pinger = setInterval(() => command({ cmd: "ping" }), pingMs);
    };
    s.onmessage = ({ data }) => {
      if (socket === s) take(data, join);
    };
    s.onclose = (event) => {
      if (socket !== s) return;
      clearInterval(pinger);
      socket = null;
      joined = false;
      const why = opened ? `The connection ended: ${closeWords(event.code, event.reason)}.` : `No connection to ${wanted.url}.`;
      if (opened) enter("note", why);
      const wait = sooner || Math.min(retryMostMs, retryMs * 2 ** Math.min(attempts++, 10));
      sooner = 0;
      state(`${why} It is tried again.`, "bad");
      countdown(wait);
      retry = setTimeout(open, wait);
      show();
    };
  };

  const take = (data, join) => {
    let m;
    try {
      m = JSON.parse(data);
    } catch {
      m = null;
    }
    switch (m?.type) {
      case "message":
        arrived++;
        enter("message", typeof m.message === "string" ? m.message : JSON.stringify(m.message));
        break;
      case "ack":
        if (m.req_id !== join) break;
        joined = true;
        attempts = 0;
        state(`Listening to ${visibleName(wanted.group)} at ${wanted.url}.`, "good");
        enter("note", `Joined ${visibleName(wanted.group)}`);
        show();
        break;
      case "error":
        if (m.req_id === join) {
          stop(`Not joined: ${visible(m.reason)}`, "bad");
          break;
        }
        enter("note", `Refused (${m.code}): ${m.reason}`);
        break;
      case "gap":
        enter("note", `${count(m.missed)} messages were dropped for this session`);
        break;
      case "bye":
        sooner = Math.min(Math.max(Number(m.reconnect_after_ms) || 0, 200), 60_000);
        enter("note", `The server says goodbye: ${closeWords(m.code)}`);
        break;
      default:
        // Not a server that knows the subprotocol: what it sends is the message.
        arrived++;
        enter("message", String(data));
    }
  };

  const stop = (text, kind) => {
    wanted = null;
    joined = false;
    clearTimeout(retry);
    clearInterval(pinger);
    const s = socket;
    socket = null;
    s?.close(1000);
    show();
    state(text, kind);
  };

  const chooseOther = () => {
    $("listen-other").hidden = at.value !== "other";
    url.required = at.value === "other";
  };
  at.addEventListener("change", chooseOther);

  $("listen").addEventListener("submit", (event) => {
    event.preventDefault();
    if (wanted) {
      enter("note", `Left ${visibleName(wanted.group)}`);
      stop("Not connected.");
      return;
    }
    begin();
  });

  const begin = () => {
    const address = at.value === "other" ? url.value.trim() : at.value;
    if (address === "") {
      state("Where the server listens is not known yet: it has not answered.", "bad");
      return;
    }
    wanted = { url: address, group: groupOf(group) };
    attempts = 0;
    open();
    show();
  };

  $("say").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!joined) return;
    command({ cmd: "send_to_group", group_id: wanted.group, message: say.value });
    say.value = "";
  });

  $("log-clear").addEventListener("click", () => {
    list.replaceChildren();
    waiting = [];
    arrived = 0;
    tally();
  });

  const aloud = $("log-aloud");
  aloud.addEventListener("change", () => log.setAttribute("aria-live", aloud.checked ? "polite" : "off"));

  document.addEventListener("securitypolicyviolation", (event) => {
    if (!wanted || !event.effectiveDirective.startsWith("connect")) return;
    stop(`This page may open WebSockets to the host it was asked of only, and that is not in ${wanted.url}. ` +
      "Behind a proxy: it has to pass the Host header on.", "bad");
  });

  startGroupField(group);

  // join listens to another group, from elsewhere on the page.
  const join = (name) => {
    if (wanted) stop("Not connected.");
    setGroup(group, name);
    begin();
    toggle.focus();
  };

  let offered = "";
  // offer lists the WebSocket listeners of a status.
  const offer = (listeners) => {
    const doors = listeners.filter((l) => l.kind === "websocket").map(addressOf).filter((d) => d !== null);
    const key = JSON.stringify(doors);
    if (key === offered) return;
    offered = key;
    const before = at.value;
    const other = at.lastElementChild;
    at.replaceChildren(...doors.map((d) => new Option(d.label, d.url)), other);
    const stays = before === "other" ? url.value !== "" || document.activeElement === url : doors.some((d) => d.url === before);
    at.value = stays ? before : at.options[0].value;
    chooseOther();
  };
  return { offer, join };
}

// addressOf is where a browser finds a listener: its port, on the host that this
// page came from, which need not know itself by the name that it has out here. A
// page that came encrypted may open encrypted WebSockets only.
function addressOf({ address, state }) {
  const secured = address.startsWith("tls:");
  const found = /^(.*):(\d+)$/.exec(secured ? address.slice(4) : address);
  if (!found || address.startsWith("unix:")) return null;
  const [, host, port] = found;
  const url = `${secured || location.protocol === "https:" ? "wss" : "ws"}://${location.hostname}:${port}`;
  const bare = host.replace(/^\[|\]$/g, "");
  const anywhere = ["", "0.0.0.0", "::", "*"].includes(bare) || host === location.hostname || bare === location.hostname;
  let label = url;
  if (!anywhere) label += ` (listens on ${visible(address)})`;
  if (state !== "ok") label += `, ${visible(state)}`;
  return { url, label };
}
