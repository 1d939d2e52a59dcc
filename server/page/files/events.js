// What has happened, in words.

import { clock, count, duration, plural, visible } from "./format.js";

const refusals = {
  connections: "there were as many connections as --max-conns lets in",
  handshakes: "as many connections were in their handshake as --max-handshakes lets in",
  connections_per_ip: "one address had as many connections as --max-conns-per-ip lets it have",
  draining: "the server is on its way out",
  memory: "what is alive came near --max-memory",
};

const errors = {
  bad_json: "no valid JSON object",
  bad_command: "no command of the contract",
  bad_group: "no valid name of a group",
  bad_message: "no message, or one that cannot be sent",
  too_large: "a message over --max-message",
  too_many_groups: "a join over a limit of groups or members",
  not_allowed: "not allowed",
  rate_limited: "more commands than --rate lets through",
  overloaded: "the ring to the broker was full",
  draining: "the server is on its way out",
};

const closed = (e, why) => [`${plural(e.count, "session")} closed`, why];

// kinds have what happened, what it means, and how bad it is.
const kinds = {
  slow_readers: { tone: "bad", words: (e) => [`${plural(e.count, "slow reader")} closed`, "their backlog was over --max-backlog: the client, or its network, reads more slowly than its groups speak (1008)"] },
  rate_closed: { tone: "bad", words: (e) => closed(e, "they kept sending more commands than --rate lets through (1008)") },
  idle_closed: { tone: "note", words: (e) => closed(e, "they were silent, and did not answer pings: most often the client's network is gone (1008)") },
  memory_closed: { tone: "bad", words: (e) => [`${plural(e.count, "connection")} closed for want of memory`, "they held most of it, and what is alive came near --max-memory (1008)"] },
  cut_sessions: { tone: "bad", words: (e) => [`${plural(e.count, "session")} cut off`, "they ended before they had taken all that was queued for them"] },
  panics: { tone: "bad", words: (e) => closed(e, "a mistake in the server; its log has the details (1011)") },
  refused: { tone: "bad", words: (e) => [`${plural(e.count, "connection")} refused with 503`, refusals[e.cause] ?? visible(e.cause ?? "")] },
  accept_errors: { tone: "bad", words: (e) => [`${plural(e.count, "accept error")}`, "the system had no descriptor or memory for a connection: look at the open-files limit"] },
  command_errors: { tone: "warn", words: (e) => [`${plural(e.count, "command")} answered with ${visible(e.cause ?? "an error")}`, errors[e.cause] ?? ""] },
  overloaded: { tone: "bad", words: (e) => [`${plural(e.count, "publication")} refused`, e.cause === "memory" ? "what is alive came near --max-memory; their publishers were told (503)" : "the ring to the broker had no room in time; their publishers were told (503)"] },
  channel_dropped: { tone: "bad", words: (e) => [`${plural(e.count, "Channel event")} dropped`, "a connection to the Channel server took no more"] },
  bad_frames: { tone: "warn", words: (e) => [`${plural(e.count, "bad Channel frame")}`, "a program at the Channel server's port does not speak its protocol"] },
  not_forwarded: { tone: "bad", words: (e) => [`${plural(e.count, "message")} not forwarded`, "the joined Channel server was away, or took no more"] },
  join_lost: { tone: "bad", words: () => ["The joined Channel server is away", "local members are served; nothing goes there or comes from there"] },
  bus_away: { tone: "bad", words: (e) => [e.cause === "refused" ? "NATS refuses this node" : "NATS is away", e.cause === "refused" ? "it does not take the node's credentials: the node is alone until it does" : "each node serves its own clients alone; --nats-down says what becomes of what they send"] },
  bus_lost: { tone: "bad", words: (e) => [`${plural(e.count, "message")} did not cross`, "to or from other nodes: NATS was away and --nats-buffer full, a way was full, or a message too large; members are told of a gap"] },
  bus_losses: { tone: "bad", words: (e) => [`${plural(e.count, "loss", "losses")} told`, "members may have missed messages of other nodes: those in envelope mode got a gap, others were closed (1013)"] },
  bus_slow: { tone: "bad", words: (e) => [`${plural(e.count, "overflow")} of what NATS brings`, "messages came faster than they could be published, and more than --nats-inbound of them waited"] },
  name_taken: { tone: "bad", words: (e) => ["Another node has this one's name", `this one is out of the cluster: of two nodes called ${visible(e.cause ?? "?")} one wants another --nats-node`] },
  node_silent: { tone: "warn", words: (e) => [`Node ${visible(e.cause ?? "?")} is silent`, "its heartbeats are missed: it, or the way to it, stands still"] },
  node_gone: { tone: "bad", words: (e) => [`Node ${visible(e.cause ?? "?")} is gone`, "it was silent for longer than --nats-lease, and counts no more"] },
  node_left: { tone: "note", words: (e) => [`Node ${visible(e.cause ?? "?")} has left`, "it was stopped in order"] },
  join_twice: { tone: "bad", words: (e) => [`Node ${visible(e.cause ?? "?")} has --channel-join too`, "one node of a cluster is to have it, or messages come twice"] },
  stalled: { tone: "bad", words: (e) => [`Loop ${visible(e.cause ?? "?")} stalled`, "it did not answer for 5 s or more: its sessions got nothing meanwhile"] },
  draining: { tone: "warn", words: () => ["The server drains", "it lets nobody in, takes no more messages, and ends when its sessions have left or the time is over"] },
  reload: { tone: "note", words: (e) => ["Settings reloaded", e.cause ? `changed: ${visible(e.cause)}` : "nothing has changed"] },
  reload_refused: { tone: "warn", words: () => ["A reload was refused", "something is wrong with the settings, and nothing has changed; groupcast reload says what"] },
};

export const tone = (e) => kinds[e.kind]?.tone ?? "warn";

export function words(e) {
  return kinds[e.kind]?.words(e) ?? [visible(e.kind), e.count ? count(e.count) : ""];
}

const ago = (ms) => (ms < 1500 ? "just now" : `${duration(ms / 1000)} ago`);

let shown = "";

// showEvents lists them, the newest first. Only what is new is read aloud.
export function showEvents(events, now) {
  const list = document.getElementById("events");
  document.getElementById("events-empty").hidden = events.length > 0;
  list.hidden = events.length === 0;
  const key = JSON.stringify(events);
  if (key !== shown) {
    shown = key;
    list.replaceChildren(...events.map(item));
  }
  events.forEach((e, i) => {
    const lasted = e.to - e.from >= 1000 ? `, for ${duration((e.to - e.from) / 1000)}` : "";
    const text = ago(now - e.to) + lasted;
    const when = list.children[i].querySelector(".ago");
    if (when.textContent !== text) when.textContent = text;
  });
}

function item(e) {
  const li = document.createElement("li");
  li.dataset.tone = tone(e);
  const time = document.createElement("time");
  time.dateTime = new Date(e.from).toISOString();
  time.textContent = clock(new Date(e.from));
  const [what, why] = words(e);
  const bold = document.createElement("b");
  bold.textContent = what;
  const rest = document.createElement("span");
  rest.className = "why";
  rest.textContent = why;
  const when = document.createElement("span");
  when.className = "ago";
  li.append(time, " ", bold, " ", rest, " ", when);
  return li;
}
