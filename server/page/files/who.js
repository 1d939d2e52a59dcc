// Who a session is: its user, how long its token is good for, what it may do.

import { duration, none, visibleName } from "./format.js";

const showPatterns = 20; // of each kind, at once

export const anonymous = "anonymous";

// userOf is a session's user, as it is searched for and shown.
export const userOf = (s) => (s.user ? visibleName(s.user) : anonymous);

// tokenOf says how long a session's token is good for, by the server's clock.
export function tokenOf(s, now) {
  if (!s.expires_at) return none;
  const left = (Date.parse(s.expires_at) - now) / 1000;
  return left > 0 ? duration(left) : "over";
}

// patterns are groups in words; more is how many are not in the list.
function patterns(list, more = 0) {
  const shown = list.slice(0, showPatterns), rest = list.length - shown.length + more;
  if (shown.length === 0) return "nothing";
  return shown.map(visibleName).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

// mayJoin, maySend and mayList say into which groups a session may go, to which it may send, and of
// which it may be told the members.
export const mayJoin = (s) => (s.grants ? patterns(s.grants.join, s.grants.join_more) : "everything");

export const maySend = (s) => (s.grants ? patterns(s.grants.publish, s.grants.publish_more) : "everything");

export const mayList = (s) => patterns(s.grants?.members ?? [], s.grants?.members_more);

// mayShortly says all in a line; nothing where there is nothing unusual about it.
export const mayShortly = (s) => (s.grants ?
  `joins ${mayJoin(s)}; sends to ${maySend(s)}${s.grants.members ? `; lists ${mayList(s)}` : ""}` : "");
