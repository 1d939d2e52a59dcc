// The sessions: listed, searched, looked at, closed.

import { Refusal, request } from "./api.js";
import { ask, said } from "./dialog.js";
import { bytes, count, duration, none, plural, visible, visibleName } from "./format.js";
import { cell, placed } from "./rows.js";
import { mayJoin, mayList, mayShortly, maySend, tokenOf, userOf } from "./who.js";

const pageSessions = 1000; // of the API, at most
const showSessions = 50; // found at a time
const showGroups = 200; // of one session

const $ = (id) => document.getElementById(id);
const seconds = (ns) => duration(ns / 1e9);

// startSessions makes the card and the dialog work; openGroup opens a group's, now is the
// server's time. What it returns opens the dialog for a session's id.
export function startSessions(openGroup, now) {
  const form = $("sessions-find"), text = $("sessions-text"), behind = $("sessions-behind");
  const table = $("sessions"), body = table.tBodies[0], answer = $("sessions-answer"), more = $("sessions-more");
  const dialog = $("session");
  let run = 0, after = "", looked = 0, found = 0, kept = []; // of the search; kept are found and not shown yet

  const wanted = (s) => (!behind.checked || s.backlog_bytes > 0)
    && (text.value.trim() === "" || [s.id, s.remote, userOf(s)].some((t) => t.toLowerCase().includes(text.value.trim().toLowerCase())));

  // look reads on until showSessions are found, or all have been looked at.
  const look = async () => {
    const own = run;
    more.hidden = true;
    form.setAttribute("aria-busy", "true");
    try {
      let end = after === null;
      while (kept.length < showSessions && !end) {
        const page = await request("GET", `v1/sessions?limit=${pageSessions}${after ? `&after=${encodeURIComponent(after)}` : ""}`);
        if (own !== run) return;
        looked += page.sessions.length;
        kept.push(...page.sessions.filter(wanted));
        after = page.next ?? null;
        end = after === null;
        said(answer, `Looked at ${plural(looked, "session")} …`);
      }
      const part = kept.splice(0, showSessions);
      found += part.length;
      body.append(...part.map(row));
      table.hidden = found === 0;
      more.hidden = kept.length === 0 && after === null;
      said(answer, more.hidden
        ? `${plural(looked, "session")} in all, ${count(found)} shown.`
        : `${count(found)} shown of ${count(looked)} looked at; there may be more.`);
    } catch (err) {
      if (own === run) said(answer, err instanceof Refusal ? `Not listed: ${err.message}` : "No answer from the server.", "bad");
    } finally {
      if (own === run) form.removeAttribute("aria-busy");
    }
  };

  const begin = () => {
    run++;
    [after, looked, found, kept] = ["", 0, 0, []];
    body.replaceChildren();
    return look();
  };

  const row = (s) => {
    const tr = document.createElement("tr");
    tr.dataset.session = s.id;
    const id = cell("th", "");
    id.scope = "row";
    const button = cell("button", s.id, "link");
    button.type = "button";
    button.addEventListener("click", () => open(s.id));
    id.append(button);
    const close = cell("td", "", "n");
    const closing = cell("button", "Close", "quiet small");
    closing.type = "button";
    closing.setAttribute("aria-label", `Close ${s.id}`);
    closing.addEventListener("click", () => shut(s.id, s.remote, answer));
    close.append(closing);
    const quiet = s.backlog_bytes === 0 ? " quiet" : "";
    const user = cell("td", "", s.user ? "" : "quiet");
    user.title = userOf(s); // which the table cuts after two lines
    user.append(cell("bdi", userOf(s), "name whole"), cell("span", mayShortly(s), "may hint"));
    tr.append(id, placed(cell("td", visible(s.remote || none), "name whole")), user, cell("td", tokenOf(s, now()), "n ends"),
      cell("td", visible(s.state), "state"), cell("td", count(s.group_count), "n groups"),
      cell("td", bytes(s.backlog_bytes), `n${quiet}`), cell("td", bytes(s.bytes_out), "n sent"), cell("td", seconds(s.idle_ns), "n idle"),
      cell("td", seconds(s.age_ns), "n age"), close);
    return tr;
  };

  // shut closes a session, if that is wanted, and says what came of it.
  const shut = async (id, remote, where) => {
    if (!(await ask(`Close session ${id}?`,
      `It is at ${visible(remote || "an unknown address")}. It gets the code 1008 and loses its groups; its client may come back.`, "Close it"))) return;
    try {
      await request("DELETE", `v1/sessions/${encodeURIComponent(id)}?code=1008`);
      said(where, `Session ${id} is being closed.`, "good");
      gone(id);
    } catch (err) {
      if (err instanceof Refusal && err.status === 404) {
        said(where, `Session ${id} is gone already.`);
        gone(id);
      } else said(where, `Not closed: ${err.message}`, "bad");
    }
  };

  const gone = (id) => {
    const tr = [...body.rows].find((r) => r.dataset.session === id);
    if (!tr) return;
    if (tr.contains(document.activeElement)) text.focus();
    tr.remove();
    table.hidden = body.rows.length === 0;
  };

  let remote = "", shown = "";

  const open = async (id) => {
    shown = id;
    $("session-name").textContent = `Session ${id}`;
    $("session-groups").replaceChildren();
    said($("session-answer"), "Asking the server …");
    if (!dialog.open) dialog.showModal();
    try {
      const s = await request("GET", `v1/sessions/${encodeURIComponent(id)}`);
      if (shown !== id) return;
      remote = s.remote;
      const facts = [["Address", visible(s.remote || none)], ["User", userOf(s)], ["Token ends in", tokenOf(s, now())],
        ["May join", mayJoin(s)], ["May send to", maySend(s)],
        ["May list members of", mayList(s)], ["State", visible(s.state)], ["Loop", count(s.reactor)], ["Backlog", bytes(s.backlog_bytes)],
        ["Received", bytes(s.bytes_in)], ["Sent", bytes(s.bytes_out)], ["Silent for", seconds(s.idle_ns)], ["Connected for", seconds(s.age_ns)],
        ["Groups", count(s.group_count)]];
      $("session-facts").replaceChildren(...facts.map(([term, value]) => {
        const pair = document.createElement("div");
        pair.append(cell("dt", term), cell("dd", value));
        return pair;
      }));
      const names = s.groups ?? [];
      $("session-groups").replaceChildren(...names.slice(0, showGroups).map((name) => {
        const li = document.createElement("li"), button = cell("button", "", "name link");
        button.type = "button";
        button.title = visibleName(name);
        button.append(cell("bdi", visibleName(name)));
        button.addEventListener("click", () => {
          dialog.close();
          openGroup(name);
        });
        li.append(button);
        return li;
      }));
      $("session-groups").hidden = names.length === 0;
      said($("session-answer"), names.length > showGroups ? `The first ${showGroups} of its groups are shown.` : "");
    } catch (err) {
      if (shown !== id) return;
      $("session-facts").replaceChildren();
      said($("session-answer"), err instanceof Refusal && err.status === 404 ? "This session is gone." : `Nothing is known of it: ${err.message}`, "bad");
    }
  };

  $("session-shut").addEventListener("click", () => shut(shown, remote, $("session-answer")));
  $("session-close").addEventListener("click", () => dialog.close());
  more.addEventListener("click", look);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    begin();
  });
  behind.addEventListener("change", begin);
  return open;
}
