-- What is not an upgrade, on the WebSocket port: all of it is told so with 426, and closed. Plain requests, other methods,
-- other protocols and old versions take turns.
--
--   wrk -t1 -c16 -d10s -s refused.lua http://127.0.0.1:1234
package.path = (debug.getinfo(1, "S").source:match("^@(.*/)") or "./") .. "?.lua;" .. package.path
require("verdict")

local key = "dGhlIHNhbXBsZSBub25jZQ=="

local function upgrade(protocol, version)
  return { Connection = "Upgrade", Upgrade = protocol, ["Sec-WebSocket-Version"] = version, ["Sec-WebSocket-Key"] = key }
end

local requests, turn = {}, 0

function init()
  requests = {
    wrk.format("GET", "/"),
    wrk.format("GET", "/", { Accept = "*/*" }),
    wrk.format("GET", "/index.html", { Accept = "text/html" }),
    wrk.format("POST", "/", { ["Content-Type"] = "application/json" }, '{"cmd":"add_group"}'),
    wrk.format("POST", "/healthz", nil, "x"),
    wrk.format("GET", "/", upgrade("h2c", nil)),
    wrk.format("GET", "/", upgrade("websocket", "8")),
    wrk.format("GET", "/", upgrade("websocket", "14")),
  }
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function response(status, headers)
  count(status, status == 426 and header(headers, "upgrade") == "websocket" and header(headers, "sec-websocket-version") == "13")
end

function done(summary, latency)
  judge(summary, latency, "426 with Upgrade: websocket and Sec-WebSocket-Version: 13")
end
