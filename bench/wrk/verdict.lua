-- What the scripts have in common: every response is looked at, and the run ends with a verdict and an exit code.
--
-- A thread of wrk is a Lua state of its own. The counts are global so that done(), which runs in yet another state, can
-- ask the threads for them.
local threads = {}

-- Load is for servers that are yours: any but this machine needs REMOTE=1 in the environment.
local function check_host()
  local host = wrk.host
  if host:match("^127%.") or host == "localhost" or host == "::1" or os.getenv("REMOTE") == "1" then return end
  io.stderr:write(host .. " is not this machine: set REMOTE=1 if it is yours to load\n")
  os.exit(1)
end

function setup(thread)
  check_host()
  thread:set("statuses", "")
  table.insert(threads, thread)
end

-- count notes a response; ok is whether it was what it must be. For response().
function count(status, ok)
  seen = seen or {}
  seen[status] = (seen[status] or 0) + 1
  good = (good or 0) + (ok and 1 or 0)
  bad = (bad or 0) + (ok and 0 or 1)
  -- Only plain values can be asked for: a list of statuses as text, renewed for the first thousand and now and then.
  local n = good + bad
  if n <= 1000 or n % 100 == 0 then
    local list = {}
    for s in pairs(seen) do table.insert(list, s) end
    table.sort(list)
    statuses = table.concat(list, " ")
  end
end

-- header finds a header whatever its capitals.
function header(headers, name)
  for key, value in pairs(headers) do
    if key:lower() == name then return value end
  end
end

-- judge prints the verdict; any failure makes the exit code 1. For done().
function judge(summary, latency, wanted)
  local ok, wrong, statuses = 0, 0, {}
  for _, thread in ipairs(threads) do
    ok = ok + (thread:get("good") or 0)
    wrong = wrong + (thread:get("bad") or 0)
    for s in thread:get("statuses"):gmatch("%S+") do statuses[s] = true end
  end
  local list = {}
  for s in pairs(statuses) do table.insert(list, s) end
  table.sort(list)
  local e = summary.errors
  local broken = e.connect + e.read + e.write + e.timeout
  io.write(string.format("\n%d as they must be (%s), %d not; statuses: %s\n", ok, wanted, wrong, table.concat(list, " ")))
  io.write(string.format("%.0f requests/s, p50 %.2f ms, p99 %.2f ms\n", summary.requests / (summary.duration / 1e6),
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
  if broken > 0 then
    io.write(string.format("errors: %d connect, %d read, %d write, %d timeout\n", e.connect, e.read, e.write, e.timeout))
  end
  if ok == 0 or wrong > 0 or broken > 0 then
    io.write("FAILED\n")
    os.exit(1)
  end
  io.write("passed\n")
end
