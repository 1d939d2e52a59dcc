// What the codes mean with which a WebSocket ends, for people.

import { visible } from "./format.js";

const words = {
  1000: "it was closed as agreed",
  1001: "the server is stopping",
  1002: "one side broke the protocol",
  1003: "the kind of data is not taken here",
  1005: "it was closed without a reason",
  1006: "it broke off without a goodbye: the network, a proxy, or the server's end",
  1007: "a text was not UTF-8",
  1008: "the server closed this session: it read too slowly, sent too much, was silent, or was thrown out",
  1009: "a message was too large",
  1010: "an extension was missing",
  1011: "a mistake in the server; its log has the details",
  1012: "the server is restarting",
  1013: "messages of a group may have been lost, or the server has too much to do: come back, and fetch the state anew",
  1014: "a proxy got no proper answer",
};

// closeWords says why a connection ended.
export function closeWords(code, reason = "") {
  const what = words[code] ?? (code >= 4000 ? "a code that an application gave" : code >= 3000 ? "a registered code" : "an unknown code");
  return `${what} (${code}${reason ? ` ${visible(reason)}` : ""})`;
}
