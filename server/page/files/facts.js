// What is said of the server as a whole, in groups.

import * as f from "./format.js";
import { cell, setText } from "./rows.js";
import { terms } from "./terms.js";

const $ = (id) => document.getElementById(id);

// facts fills a description list with [term, text, quiet] entries. What never happened
// is quiet: what did is found at once.
export function facts(list, entries) {
  while (list.children.length > entries.length) list.lastElementChild.remove();
  entries.forEach(([term, text, quiet], i) => {
    let pair = list.children[i];
    if (!pair) {
      pair = document.createElement("div");
      const dt = document.createElement("dt");
      dt.append(cell("span", "", "term"), cell("span", "", "hint"));
      pair.append(dt, document.createElement("dd"));
      list.append(pair);
    }
    setText(pair.querySelector(".term"), term);
    setText(pair.querySelector(".hint"), terms[term] ?? "");
    setText(pair.lastElementChild, text);
    pair.classList.toggle("quiet", Boolean(quiet));
  });
}

// counted is an entry that is quiet while it is zero.
export const counted = (term, n) => [term, f.count(n), n === 0];

export function showServer(s) {
  const t = s.total;
  facts($("facts-doors"), [
    ["Connections", `${f.count(s.connections)} of ${f.count(s.max_connections)}`],
    counted("Handshakes", s.handshakes),
    counted("Accepted", s.accepted),
    counted("Closed", s.closed),
    counted("Refused", s.refused),
    counted("Accept errors", s.accept_errors),
  ]);
  facts($("facts-order"), [
    counted("Order", s.order),
    ["Messages/s", f.short(t.messages_per_second), t.messages_per_second === 0],
    counted("Members", t.memberships),
    counted("Publications waiting", s.outside_waiting),
    counted("Publications refused", s.overloaded),
    counted("Errors", t.errors),
    counted("Slow readers closed", t.slow_readers),
    counted("Ring full", t.ring_full),
  ]);
  facts($("facts-process"), [
    ["CPU time", f.duration(s.cpu_seconds)],
    ["Load", (s.load ?? []).map((v) => v.toFixed(2)).join("  ")],
    ["Bytes in/s", f.bytes(t.bytes_in_per_second), t.bytes_in_per_second === 0],
    ["Bytes out/s", f.bytes(t.bytes_out_per_second), t.bytes_out_per_second === 0],
    ["Process", `${s.pid}, ${s.go}`],
    ["Started", new Date(s.started_at).toLocaleString("en-GB")],
  ]);
}

export function showChannel(s) {
  $("channel").hidden = !s.channel;
  if (s.channel) {
    const c = s.channel;
    facts($("channel").querySelector("dl"), [
      counted("Connections", c.connections), counted("Channels", c.channels),
      counted("Subscriptions", c.subscriptions), counted("Events in", c.events_in),
      counted("Events out", c.events_out), counted("Dropped", c.dropped),
      counted("Bad frames", c.bad_frames), counted("Queued", c.queued),
    ].map(([term, ...rest]) => [term === "Connections" ? "PHP programs" : term, ...rest]));
  }
  $("channel-join").hidden = !s.channel_join;
  if (s.channel_join) {
    const c = s.channel_join;
    const entries = [
      ["Address", f.visible(c.address)],
      ["State", `${c.connected ? "connected" : "not connected"} for ${f.duration((new Date(s.taken_at) - new Date(c.since)) / 1000)}`],
      counted("Reconnects", c.reconnects), counted("Forwarded", c.forwarded),
      counted("Not forwarded", c.not_forwarded), counted("Received", c.received),
    ];
    if (c.last_error) entries.push(["Last error", f.visible(c.last_error)]);
    facts($("channel-join").querySelector("dl"), entries);
  }
}
