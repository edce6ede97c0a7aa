-- The script that wrk runs: sends presigned requests from a list, counts what is not a success.
--
-- Arguments after "--": METHOD LIST BODY CHECK THREADS ONCE CONNECTIONS
--   LIST   a file with one path-and-query per line; each thread takes its share of the lines
--   BODY   a file with the body of every request, or "-"
--   CHECK  "1": look at every answer's status (wrk by itself counts only 400 and above). It costs the
--          load generator a copy of every answer's body, so it is off where answers are long; there the
--          caller compares the bytes received with the objects' size instead.
--   ONCE   "1": stop when every line was sent and answered instead of starting again; each thread then
--          says LIST DONE, because wrk itself sleeps on until its time is up or it is interrupted
--   last   how many of the connections one thread holds

local threads = {}

function setup(thread)
  thread:set("thread_number", #threads)
  table.insert(threads, thread)
end

local paths, once, position
-- Read by done() from another Lua state, hence global.
lines, wraps, answered, not_success, first_bad = 0, 0, 0, 0, ""

local function read_all(name)
  local file = assert(io.open(name, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function on_answer(status, _, body)
  answered = answered + 1
  if status < 200 or status > 299 then
    not_success = not_success + 1
    if first_bad == "" then first_bad = status .. " " .. string.sub(body, 1, 300) end
  end
  -- Every connection has one request on its way, so after this many answers no line is outstanding.
  if once and answered == #paths + connections_here then
    io.stderr:write("LIST DONE\n")
    wrk.thread:stop()
  end
end

function init(args)
  local thread_count = tonumber(args[5])
  wrk.method = args[1]
  if args[3] ~= "-" then wrk.body = read_all(args[3]) end
  once = args[6] == "1"
  connections_here = tonumber(args[7])
  paths = {}
  local number = 0
  for line in io.lines(args[2]) do
    if number % thread_count == thread_number then paths[#paths + 1] = line end
    number = number + 1
  end
  assert(#paths > 0, "the list is shorter than the number of threads")
  lines = #paths
  -- wrk asks the first thread for one request that it never sends, to count how many it holds.
  position = thread_number == 0 and -1 or 0
  if args[4] == "1" or once then response = on_answer end
end

function request()
  position = position + 1
  if position > #paths then
    if once then
      position = #paths
    else
      position = 1
      wraps = wraps + 1
    end
  end
  return wrk.format(nil, paths[math.max(position, 1)])
end

local function quoted(text)
  text = string.gsub(text, '[%c"\\]', function(c) return string.format("\\u%04x", string.byte(c)) end)
  return '"' .. string.gsub(text, "[\128-\255]", "?") .. '"'
end

function done(summary, latency, _)
  local sum = { lines = 0, wraps = 0, answered = 0, not_success = 0 }
  local bad = ""
  for _, thread in ipairs(threads) do
    for name in pairs(sum) do sum[name] = sum[name] + thread:get(name) end
    if bad == "" then bad = thread:get("first_bad") end
  end
  local errors = summary.errors
  local fields = {
    requests = summary.requests, bytes = summary.bytes, duration_us = summary.duration,
    p50_us = latency:percentile(50), p99_us = latency:percentile(99), max_us = latency.max,
    errors_connect = errors.connect, errors_read = errors.read, errors_write = errors.write,
    errors_status = errors.status, errors_timeout = errors.timeout,
    lines = sum.lines, wraps = sum.wraps, answered = sum.answered, not_success = sum.not_success,
  }
  local out = {}
  for name, value in pairs(fields) do out[#out + 1] = string.format('"%s": %.0f', name, value) end
  io.write("RESULT {", table.concat(out, ", "), ', "first_bad": ', quoted(bad), "}\n")
end
