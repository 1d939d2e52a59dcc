// The cluster, where there is one: this node's connection, and the other nodes.

import { counted, facts } from "./facts.js";
import * as f from "./format.js";
import { cell, rows, setText } from "./rows.js";

const $ = (id) => document.getElementById(id);

const states = {
  connecting: "there was no connection to NATS yet: its own clients are served",
  up: "",
  away: "no NATS server can be reached: each node serves its own clients, and --nats-down says what becomes of the rest",
  refused: "NATS does not take this node's credentials: it is alone until it does",
  closed: "this node has left the cluster",
};

// about is what the state means, in a sentence; the empty one says that all is well.
function about(c) {
  if (c.name_taken) return "Another node has this one's name, so this one is out of the cluster: give it another --nats-node.";
  if (c.state !== "up") return states[c.state] ?? "";
  return c.joined ? "" : "its messages do not go to the others yet";
}

function nodeRow() {
  const row = document.createElement("tr");
  const name = cell("th", "");
  name.scope = "row";
  const has = cell("span", "", "hint");
  name.append(cell("bdi", "", "name text"), has);
  row.append(name, cell("td", "", "state"), cell("td", "", "n sessions"), cell("td", "", "n groups"), cell("td", "", "n lag"),
    cell("td", "", "n heard"), cell("td", "", "name whole version"), cell("td", "", "name whole host"));
  return row;
}

const nodeCells = (n) => [
  f.visible(n.name), n.state, f.count(n.sessions), f.count(n.groups), f.seconds(n.lag_seconds),
  f.duration(n.heard_seconds), f.visible(n.version), f.visible(n.host),
];

export function showCluster(s) {
  const c = s.cluster;
  $("cluster").hidden = !c;
  if (!c) return;
  const word = $("cluster-state");
  setText(word, c.name_taken ? "name taken" : c.state === "up" && !c.joined ? "joining" : c.state);
  word.dataset.state = c.name_taken ? "refused" : c.state === "up" && !c.joined ? "joining" : c.state;
  setText($("cluster-since"), `for ${f.duration((new Date(s.taken_at) - new Date(c.since)) / 1000)}`);
  setText($("cluster-about"), about(c));
  facts($("facts-bus"), [
    ["Node", f.visible(c.node)],
    ["NATS server", f.visible(c.server || f.none), !c.server],
    ["Round trip", f.seconds(c.round_trip_seconds), c.round_trip_seconds === 0],
    counted("Reconnects", c.reconnects),
    ...(c.last_error ? [["Last error", f.visible(c.last_error)]] : []),
  ]);
  facts($("facts-crossed"), [
    counted("Came in", c.messages_in), counted("Went out", c.messages_out), counted("Avoided", c.messages_avoided),
    ["Subscribed to", c.wildcard ? "all groups" : f.plural(c.subjects, "group"), !c.wildcard && c.subjects === 0],
  ]);
  facts($("facts-missed"), [
    counted("Did not cross", c.messages_lost), counted("Losses told", c.losses_told), counted("Overflows", c.slow_consumer),
    ["Kept for NATS", f.bytes(c.buffered_bytes), c.buffered_bytes === 0],
    ["Lag", f.seconds(c.lag_seconds), c.lag_seconds === 0],
    counted("Joins waiting", c.waiting_joins),
  ]);
  const nodes = c.nodes ?? [];
  const body = $("nodes").tBodies[0];
  rows(body, nodes.map(nodeCells), nodeRow);
  nodes.forEach((n, i) => {
    const row = body.rows[i];
    row.cells[1].dataset.state = row.dataset.state = n.state;
    setText(row.querySelector(".hint"), n.channel_join ? "has --channel-join" : "");
    row.cells[2].classList.toggle("quiet", n.sessions === 0);
    row.cells[3].classList.toggle("quiet", n.groups === 0);
  });
  $("nodes").hidden = nodes.length === 0;
  $("nodes-empty").hidden = nodes.length > 0;
}
