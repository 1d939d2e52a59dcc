// Requests to the server this page came from, with the token if there is one.

// Relative, so that a proxy may serve all of it under a path of its own.
const base = new URL(".", document.baseURI);
const tokenKey = "groupcast.token";

let token = stored();

function stored() {
  try {
    return sessionStorage.getItem(tokenKey) ?? "";
  } catch {
    return ""; // no storage: the token lives as long as the page
  }
}

export const hasToken = () => token !== "";

// setToken keeps a token for this tab; the empty one is forgotten.
export function setToken(text) {
  token = text;
  try {
    if (text) sessionStorage.setItem(tokenKey, text);
    else sessionStorage.removeItem(tokenKey);
  } catch {
    // As above.
  }
}

// isToken says whether text can stand in a header.
export const isToken = (text) => /^[\x21-\x7e]+$/.test(text);

// Refusal is an answer of the server's that is not what was asked for.
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// request answers the JSON of a response. It throws a Refusal for an answer that
// is an error, and something else if there is no answer within patienceMs.
export async function request(method, path, { body, type: sent, patienceMs = 10_000 } = {}) {
  const headers = { Accept: "application/json, application/problem+json" };
  if (sent) headers["Content-Type"] = sent;
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(new URL(path, base), {
    method, headers, body, cache: "no-store", credentials: "same-origin", redirect: "error", signal: AbortSignal.timeout(patienceMs),
  });
  const type = response.headers.get("Content-Type") ?? "";
  if (!response.ok) throw new Refusal(response.status, await problem(response, type));
  if (response.status === 204) return null;
  if (!type.includes("json")) throw new Refusal(response.status, "the answer is not JSON: something between here and the server?");
  return response.json();
}

// isPathless says whether a path cannot hold a group's name: the browser would resolve
// these, and the server does not match a single slash.
export const isPathless = (group) => [".", "..", "/"].includes(group);

// pathOf is a group's name as a part of a path.
export const pathOf = (group) => encodeURIComponent(group.toWellFormed());

async function problem(response, type) {
  if (type.includes("json")) {
    try {
      const p = await response.json();
      if (typeof p.detail === "string") return p.detail;
      if (typeof p.title === "string") return p.title;
    } catch {
      // Then its number has to do.
    }
  }
  return `status ${response.status}`;
}

// publish sends message to group, and answers the order that it was given.
export async function publish(group, message) {
  if (isPathless(group)) {
    const answer = await request("POST", "v1/publish", { body: JSON.stringify({ groups: [group], message }), type: "application/json" });
    return answer.order;
  }
  const answer = await request("POST", `v1/groups/${pathOf(group)}/messages`, { body: message });
  return answer.order;
}
