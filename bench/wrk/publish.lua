-- POST /v1/groups/GROUP/messages on the API port, as a backend does that pushes as fast as it is answered. Every answer
-- must be 202 with the message's order. Who listens meanwhile is up to others (a k6 script, bench/load, a browser): a group
-- without members is published to all the same.
--
--   wrk -t1 -c16 -d10s -s publish.lua http://127.0.0.1:1235
--   GROUP=news SIZE=1024 TOKEN=secret wrk -t1 -c64 -d10s -s publish.lua http://127.0.0.1:1235
package.path = (debug.getinfo(1, "S").source:match("^@(.*/)") or "./") .. "?.lua;" .. package.path
require("verdict")

wrk.method = "POST"
wrk.path = "/v1/groups/" .. (os.getenv("GROUP") or "wrk") .. "/messages"
wrk.body = string.rep("x", tonumber(os.getenv("SIZE") or "100"))
wrk.headers["Content-Type"] = "text/plain; charset=utf-8"
if os.getenv("TOKEN") then wrk.headers["Authorization"] = "Bearer " .. os.getenv("TOKEN") end

function response(status, headers, body)
  count(status, status == 202 and tonumber(body:match('"order":(%d+)')) ~= nil)
end

function done(summary, latency)
  judge(summary, latency, "202 with an order")
end
