-- How a model's answer looks to the caller when it is not simply good (answers.py says when). The
-- route's metadata tells {endpoint, max_response_bytes, held, kubernetes}.
-- Envoy lets an answer pass whose script fails: nothing may be called outside its `pcall`.

-- A model's answer other than 200 is the model's error: 424, with its own status in a header. An
-- instance that sheds load says so itself and keeps its 429. A Kubernetes endpoint's callers know a
-- run() that failed by 502, and what is shed by 503.
local function blame_the_model(headers, is_kubernetes)
  local status = headers:get(":status")
  local reason = headers:get("ms-azureml-model-error-reason")
  headers:remove("ms-azureml-model-error-reason")
  headers:remove("ms-azureml-model-error-statuscode")
  if status == "200" or status == "101" then
    return
  end
  if status == "429" and reason == "too_many_pending_request" then
    headers:add("ms-azureml-model-error-reason", reason)
    if is_kubernetes then
      headers:replace(":status", "503")
    end
    return
  end
  local has_failed = is_kubernetes
    and string.lower(headers:get("x-ms-run-function-failed") or "") == "true"
  headers:replace(":status", has_failed and "502" or "424")
  headers:add("ms-azureml-model-error-statuscode", status)
  headers:add("ms-azureml-model-error-reason", "model_error")
end

-- An answer that announces more than it may have is the model's error, too. It is told before any of
-- it is passed on; what then comes is dropped, not gathered. A stream announces no length.
local function refuse_long_answer(handle, headers, told)
  local most, length = told:get("max_response_bytes"), headers:get("content-length")
  if not most or most == 0 or not length or tonumber(length) <= most then
    return
  end
  local status = headers:get("ms-azureml-model-error-statuscode") or headers:get(":status")
  local text = '{"error": {"code": "ResponseTooLarge", "message": "the model answered endpoint \\"'
    .. told:get("endpoint") .. '\\" with ' .. length .. " bytes; it may be at most "
    .. string.format("%.0f", most) .. ' (max_response_bytes)"}}'
  headers:replace(":status", "424")
  headers:replace("ms-azureml-model-error-statuscode", status)
  headers:replace("ms-azureml-model-error-reason", "model_error")
  headers:replace("content-length", tostring(#text))
  headers:replace("content-type", "application/json")
  headers:remove("content-encoding")
  for chunk in handle:bodyChunks() do
    chunk:setBytes(text)
    text = ""
  end
end

local function shape(handle)
  local headers, told = handle:headers(), handle:metadata()
  if not told:get("endpoint") then
    return -- the control API's, or a copy's that nobody reads
  end
  if told:get("held") and headers:get("x-verdazul-held") then
    return -- the gateway's own word, given by what holds the requests of a paused endpoint
  end
  blame_the_model(headers, told:get("kubernetes"))
  refuse_long_answer(handle, headers, told)
end

function envoy_on_response(handle)
  local done, why = pcall(shape, handle)
  if not done then
    handle:logErr("answers.lua: " .. tostring(why))
    handle:headers():replace(":status", "500")
  end
end
