// One group: its members, and what can be done with it.

import { isPathless, pathOf, Refusal, request } from "./api.js";
import { ask, said } from "./dialog.js";
import { count, plural, visibleName } from "./format.js";
import { groupOf, setGroup, startGroupField } from "./groupfield.js";

const $ = (id) => document.getElementById(id);

// startGroups makes the dialog work; join joins a group. What it returns opens the
// dialog for a name.
export function startGroups(join) {
  const dialog = $("group"), answer = $("group-answer"), counts = $("group-members");
  let name = "";

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

  const open = (group) => {
    name = group;
    $("group-name").textContent = visibleName(name);
    counts.textContent = "Counting its members …";
    said(answer, "");
    if (!dialog.open) dialog.showModal();
    look();
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
    look();
  });
  $("group-close").addEventListener("click", () => dialog.close());

  startGroupField($("find-group"));
  $("find").addEventListener("submit", (event) => {
    event.preventDefault();
    open(groupOf($("find-group")));
  });
  return open;
}
