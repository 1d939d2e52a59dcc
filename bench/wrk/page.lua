-- What a browser asks the WebSocket port for that was led there by its address bar: the page that says what this is, and
-- its icon, which there is none of. Programs get 426 for the same path: refused.lua.
--
--   wrk -t1 -c16 -d10s -s page.lua http://127.0.0.1:1234
package.path = (debug.getinfo(1, "S").source:match("^@(.*/)") or "./") .. "?.lua;" .. package.path
require("verdict")

local html = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
local requests, turn = {}, 0

function init()
  requests = {
    wrk.format("GET", "/", { Accept = html }),
    wrk.format("GET", "/?from=bar", { Accept = html }),
    wrk.format("GET", "/favicon.ico", { Accept = "image/avif,*/*" }),
  }
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

-- Answers do not say which request they are for: each is one of the two.
function response(status, headers, body)
  local page = status == 200 and header(headers, "cache-control") == "no-store" and body:find("allow pasting", 1, true) ~= nil
    and (header(headers, "content-security-policy") or ""):find("default-src 'none'", 1, true) ~= nil
  count(status, page or status == 204 and #body == 0)
end

function done(summary, latency)
  judge(summary, latency, "the page, or 204")
end
