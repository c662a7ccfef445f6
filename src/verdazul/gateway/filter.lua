-- What Envoy cannot say in configuration, for requests to endpoints only: is the key right. Everything
-- else is in the listener and the routes; headers.py tells where each rule about headers is.
--
-- A route to an endpoint carries a filter context {endpoint, [digest] = true}: SHA-256 digests of the
-- keys that open it; or {endpoint, wants}, when tokens open it: these are judged in token.lua. The route to
-- the control API, which `judges_itself`, passes untouched, as does the answer to requests to no
-- endpoint (`answers_here`). A route that says nothing lets nobody in.
--
-- Each call into Envoy costs about as much as all of the Lua between two: what can be known without
-- one is. So the usual request, a known caller with a known key, is let in first (`knows`).
-- Sentences of local replies are plain text here; the listener wraps them into JSON.
-- Envoy lets a request pass whose script fails: nothing may be called outside its `pcall`.

local bit = require("bit")
local band, bnot, bxor = bit.band, bit.bnot, bit.bxor
local ror, rshift, tobit, tohex = bit.ror, bit.rshift, bit.tobit, bit.tohex
local byte, char = string.byte, string.char

local LONGEST_KEY = 4096
local LONGEST_TOKEN = 16384
local MOST_REMEMBERED = 1024
local MOST_FAILURES = 60 -- in a row, of one source address in each worker; then
local FAILURES_A_SECOND = 5
local MOST_SOURCES = 10000
local SHORT_BODY = 65536

local K = {
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
}

local function padded(text)
  local bits = #text * 8
  local length = char(0, 0, 0, 0, band(rshift(bits, 24), 255), band(rshift(bits, 16), 255),
    band(rshift(bits, 8), 255), band(bits, 255))
  return text .. "\128" .. string.rep("\0", (55 - #text) % 64) .. length
end

local function word(text, at)
  local a, b, c, d = byte(text, at, at + 3)
  return tobit(a * 16777216 + b * 65536 + c * 256 + d)
end

local function compress(state, text, first, w)
  for i = 1, 16 do
    w[i] = word(text, first + (i - 1) * 4)
  end
  for i = 17, 64 do
    local x, y = w[i - 15], w[i - 2]
    local s0 = bxor(ror(x, 7), ror(x, 18), rshift(x, 3))
    local s1 = bxor(ror(y, 17), ror(y, 19), rshift(y, 10))
    w[i] = tobit(w[i - 16] + s0 + w[i - 7] + s1)
  end
  local a, b, c, d, e, f, g, h = unpack(state)
  for i = 1, 64 do
    local s1 = bxor(ror(e, 6), ror(e, 11), ror(e, 25))
    local t1 = h + s1 + bxor(band(e, f), band(bnot(e), g)) + K[i] + w[i]
    local s0 = bxor(ror(a, 2), ror(a, 13), ror(a, 22))
    local t2 = s0 + bxor(band(a, b), band(a, c), band(b, c))
    h, g, f, e, d, c, b, a = g, f, e, tobit(d + t1), c, b, a, tobit(t1 + t2)
  end
  local sum = { a, b, c, d, e, f, g, h }
  for i = 1, 8 do
    state[i] = tobit(state[i] + sum[i])
  end
end

function sha256_hex(text)
  local state = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
  }
  local message, w = padded(text), {}
  for first = 1, #message, 64 do
    compress(state, message, first, w)
  end
  for i = 1, 8 do
    state[i] = tohex(state[i])
  end
  return table.concat(state)
end

-- "Bearer K", in any case, or a bare K.
local function credential_of(authorization)
  local text = authorization:match("^%s*(.-)%s*$")
  local scheme, rest = text:match("^(%a+)%s+(.+)$")
  if scheme and scheme:lower() == "bearer" then
    return rest
  end
  return text
end

-- One table for each worker. Callers repeat themselves; strangers only make it start afresh.
local remembered, count = {}, 0 -- header Authorization -> digest of its key

local function remember(authorization, digest)
  if count >= MOST_REMEMBERED then
    remembered, count = {}, 0
  end
  remembered[authorization], count = digest, count + 1
end

-- Guessing is slowed by source address: one that failed too often is listened to a few times a
-- second only, but for keys that were right from there before. So a caller that shares an address
-- with a guesser goes on, and nobody is locked out from elsewhere.
local attempts, sources = {}, 0 -- address -> {left, at}
local right, rights = {}, 0 -- address -> {digest -> true}

-- An IPv4 address, or the network of an IPv6 one (/64, which is what a single caller is given).
local networks, addresses = {}, 0 -- address with its port -> source; a connection keeps its own

local function network_of(address)
  local network = address:match("^%[([%x:]+)%]")
  if not network then
    return address:match("^(.*):%d+$") or address
  end
  local groups = {}
  for group in (network:match("^(.-)::") or network):gmatch("%x+") do
    groups[#groups + 1] = group
  end
  return table.concat(groups, ":", 1, math.min(#groups, 4)) .. "::"
end

local function source_of(handle)
  local address = handle:streamInfo():downstreamRemoteAddress()
  local source = networks[address]
  if not source then
    if addresses >= MOST_REMEMBERED then
      networks, addresses = {}, 0
    end
    source = network_of(address)
    networks[address], addresses = source, addresses + 1
  end
  return source
end

local function attempts_left(source)
  local known = attempts[source]
  if not known then
    return MOST_FAILURES
  end
  local now = os.time()
  known.left = math.min(MOST_FAILURES, known.left + (now - known.at) * FAILURES_A_SECOND)
  known.at = now
  return known.left
end

local function is_locked_out(source)
  return attempts_left(source) < 1
end

local function note_failure(source)
  local left = attempts_left(source)
  if not attempts[source] then
    if sources >= MOST_SOURCES then
      attempts, sources = {}, 0
    end
    sources = sources + 1
  end
  attempts[source] = { left = math.max(0, left - 1), at = os.time() }
end

local function was_right(source, digest)
  return right[source] ~= nil and right[source][digest] == true
end

local function note_right(source, digest)
  if was_right(source, digest) then
    return
  end
  if rights >= MOST_REMEMBERED then
    right, rights = {}, 0
  end
  right[source] = right[source] or {}
  right[source][digest], rights = true, rights + 1
end

-- Over HTTP/2, an answer that overtakes its request's body looks like a broken stream to many
-- callers (curl among them). Whether the gateway will answer (too many requests, no instance) is
-- known only further on, so a short body is always awaited first. It comes with its headers as a
-- rule; long ones and streams pass unbuffered.
-- Envoy's objects end with the wait: nothing but the handle may be used after it.
local function await_short_body(handle, headers)
  local length = tonumber(headers:get("content-length") or "0")
  if length and length > 0 and length <= SHORT_BODY then
    handle:body()
  end
end

local function refuse(handle, message)
  handle:streamInfo():dynamicMetadata():set("verdazul", "refused", true)
  await_short_body(handle, handle:headers())
  handle:respond({ [":status"] = "401", ["www-authenticate"] = "Bearer" }, message)
end

local function lock_out(handle)
  local metadata = handle:streamInfo():dynamicMetadata()
  metadata:set("verdazul", "locked_out", "1")
  metadata:set("verdazul", "refused", true)
  await_short_body(handle, handle:headers())
  handle:respond({ [":status"] = "429", ["retry-after"] = "1" },
    "too many wrong credentials came from this address; try again later")
end

local function clean_client_request_id(headers)
  local given = headers:get("x-ms-client-request-id")
  if not given then
    return
  end
  local id = given:gsub("[^%w_-]", ""):sub(1, 40)
  headers:remove("x-ms-client-request-id")
  if id ~= "" then
    headers:add("x-ms-client-request-id", id)
  end
end

-- The digest that opens this endpoint, if this very header has opened it from here before.
local function knows(handle, context, authorization)
  local digest = remembered[authorization]
  return digest and was_right(source_of(handle), digest) and context:get(digest)
end

local function judge_key(handle, context, authorization, key)
  local source, digest = source_of(handle), remembered[authorization]
  if is_locked_out(source) and not (digest and was_right(source, digest)) then
    lock_out(handle)
    return
  end
  digest = digest or (#authorization <= LONGEST_KEY and sha256_hex(key))
  if not digest or not context:get(digest) then
    note_failure(source)
    refuse(handle, 'the key does not open endpoint "' .. context:get("endpoint") .. '"; '
      .. "both of its keys are told by get-credentials")
  else
    remember(authorization, digest)
    note_right(source, digest)
    await_short_body(handle, handle:headers())
  end
end

-- The token goes on in a header that only we can set, for Envoy to verify and token.lua to judge.
local function pass_on_token(handle, token)
  local source, metadata = source_of(handle), handle:streamInfo():dynamicMetadata()
  if is_locked_out(source) then
    metadata:set("verdazul", "locked_out", "1")
  end
  if #token > LONGEST_TOKEN then
    note_failure(source)
    refuse(handle, "the token is longer than " .. LONGEST_TOKEN .. " characters")
    return
  end
  metadata:set("verdazul", "token", true)
  handle:headers():add("x-verdazul-token", token)
  await_short_body(handle, handle:headers())
end

local function judge(handle, context, authorization)
  local credential = credential_of(authorization)
  local wanted = context:get("wants") and "token" or "key"
  if credential:match(",%s*%a+%s") then -- Envoy joins headers of one name; no key has a space
    refuse(handle, "the request has more than one Authorization header; send one")
  elseif credential == "" then
    refuse(handle, 'endpoint "' .. context:get("endpoint") .. '" wants a ' .. wanted
      .. ": send the header Authorization: Bearer <" .. wanted .. ">")
  elseif wanted == "token" then
    pass_on_token(handle, credential)
  else
    judge_key(handle, context, authorization, credential)
  end
end

local function admit(handle)
  local context, headers = handle:filterContext(), handle:headers()
  local authorization = headers:get("authorization") or ""
  if knows(handle, context, authorization) then
    clean_client_request_id(headers)
    await_short_body(handle, headers)
  elseif context:get("endpoint") then
    clean_client_request_id(headers)
    judge(handle, context, authorization)
  elseif context:get("answers_here") then
    await_short_body(handle, headers)
  elseif not context:get("judges_itself") then
    error("the route does not say who may pass")
  end
end

function envoy_on_request(handle)
  local done, why = pcall(admit, handle)
  if not done then
    handle:logErr("filter.lua: " .. tostring(why))
    handle:respond({ [":status"] = "500" }, "the gateway failed on this request; its log says why")
  end
end

-- Refusals only: Envoy spares this half the answers with 200 (auth.py).
local function end_refusal(handle)
  local known = handle:streamInfo():dynamicMetadata():get("verdazul")
  if not known or not known["refused"] then
    return
  end
  local headers = handle:headers()
  headers:remove("azureml-model-deployment")
  if headers:get(":status") == "401" and known["token"] then
    note_failure(source_of(handle))
  end
end

function envoy_on_response(handle)
  local done, why = pcall(end_refusal, handle)
  if not done then
    handle:logErr("filter.lua: " .. tostring(why))
  end
end
