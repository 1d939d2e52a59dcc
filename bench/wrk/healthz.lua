-- GET /healthz on the WebSocket port, as a load balancer asks it. The server closes after each answer, so every request is
-- a connection too: accept, parse, answer, close.
--
--   wrk -t1 -c16 -d10s -s healthz.lua http://127.0.0.1:1234
package.path = (debug.getinfo(1, "S").source:match("^@(.*/)") or "./") .. "?.lua;" .. package.path
require("verdict")

wrk.path = "/healthz"

function response(status, headers, body)
  count(status, status == 200 and body == "ok\n" and header(headers, "connection") == "close")
end

function done(summary, latency)
  judge(summary, latency, "200, ok, and closed")
end
