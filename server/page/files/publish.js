// The box that publishes.

import { publish, Refusal } from "./api.js";
import { count } from "./format.js";
import { groupOf, startGroupField } from "./groupfield.js";

export function startPublish(onUnauthorized) {
  const form = document.getElementById("publish");
  const group = document.getElementById("publish-group");
  const message = document.getElementById("publish-message");
  const answer = document.getElementById("publish-answer");
  const button = form.querySelector("button");

  startGroupField(group);

  const say = (text, kind) => {
    answer.textContent = text;
    answer.dataset.kind = kind;
  };

  message.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-disabled") === "true") return;
    // Not disabled: that would throw the focus away.
    button.setAttribute("aria-disabled", "true");
    try {
      const order = await publish(groupOf(group), message.value);
      say(order === undefined ? "Published." : `Published as message ${count(order)}.`, "good");
      message.select();
    } catch (err) {
      if (err instanceof Refusal) {
        say(`Not published: ${err.message}`, "bad");
        if (err.status === 401) onUnauthorized();
      } else {
        say("No answer: it may have been published or not.", "bad");
      }
    } finally {
      button.removeAttribute("aria-disabled");
    }
  });
}
