// One group: its members, and what can be done with it.

import { isPathless, pathOf, Refusal, request } from "./api.js";
import { ask, said } from "./dialog.js";
import { count, none, plural, visible, visibleName } from "./format.js";
import { groupOf, setGroup, startGroupField } from "./groupfield.js";
import { cell } from "./rows.js";
import { userOf } from "./who.js";

const $ = (id) => document.getElementById(id);

const pageMembers = 50; // shown at a time

// startGroups makes the dialog work; join joins a group, openSession opens a session's
// dialog. What it returns opens this one for a name.
export function startGroups(join, openSession) {
  const dialog = $("group"), answer = $("group-answer"), counts = $("group-members");
  const list = $("group-sessions"), more = $("group-more");
  let name = "", after = "";

  const look = async () => {
    const asked = name;
    let text;
    if (isPathless(name)) text = "This name cannot be asked for.";
    else {
      try {
        const g = await request("GET", `v1/groups/${pathOf(name)}`);
        const loops = (g.by_reactor ?? []).map((n, i) => [n, i]).filter(([n]) => n > 0);
        text = plural(g.members, "member") + (loops.length ? ` (${loops.map(([n, i]) => `loop ${i}: ${count(n)}`).join(", ")})` : "");
      } catch (err) {
        text = err instanceof Refusal && err.status === 404 ? "No session is a member." : `Its members could not be counted: ${err.message}`;
      }
    }
    if (asked === name) counts.textContent = text;
  };

  // who shows the first members, or those behind after.
  const who = async () => {
    const asked = name;
    more.hidden = true;
    if (after === "") list.hidden = true;
    if (isPathless(name)) return;
    let page;
    try {
      page = await request("GET", `v1/groups/${pathOf(name)}/members?limit=${pageMembers}${after ? `&after=${encodeURIComponent(after)}` : ""}`);
    } catch (err) {
      if (asked === name && !(err instanceof Refusal && err.status === 404)) said(answer, `Its members could not be listed: ${err.message}`, "bad");
      return;
    }
    if (asked !== name) return;
    const items = page.sessions.map((s) => {
      const li = document.createElement("li"), button = cell("button", s.id, "link");
      button.type = "button";
      button.addEventListener("click", () => {
        dialog.close();
        openSession(s.id);
      });
      li.append(button, cell("span", visible(s.remote || none), "name whole"), cell("bdi", userOf(s), "name whole"));
      return li;
    });
    const first = after === "" ? null : items[0]?.querySelector("button");
    if (after === "") list.replaceChildren(...items);
    else list.append(...items);
    list.hidden = list.children.length === 0;
    after = page.next ?? "";
    more.hidden = after === "";
    first?.focus(); // "More" may be gone
  };

  const again = () => {
    after = "";
    look();
    who();
  };

  const open = (group) => {
    name = group;
    $("group-name").textContent = visibleName(name);
    counts.textContent = "Counting its members …";
    said(answer, "");
    list.replaceChildren();
    if (!dialog.open) dialog.showModal();
    again();
  };

  $("group-join").addEventListener("click", () => {
    dialog.close();
    join(name);
  });
  $("group-publish").addEventListener("click", () => {
    dialog.close();
    setGroup($("publish-group"), name);
    $("publish-message").focus();
  });
  $("group-dissolve").addEventListener("click", async () => {
    const group = name;
    if (!(await ask(`Make everyone leave ${visibleName(group)}?`,
      "The group's members leave it at once and are not told. They stay connected, and may join again.", "Make them leave"))) return;
    try {
      await request("DELETE", `v1/groups/${pathOf(group)}`);
      said(answer, "Everyone has left.", "good");
    } catch (err) {
      said(answer, err instanceof Refusal && err.status === 404 ? "No session is a member." : `Not done: ${err.message}`, "bad");
    }
    again();
  });
  more.addEventListener("click", who);
  $("group-close").addEventListener("click", () => dialog.close());

  startGroupField($("find-group"));
  $("find").addEventListener("submit", (event) => {
    event.preventDefault();
    open(groupOf($("find-group")));
  });
  return open;
}
