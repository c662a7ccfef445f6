-- What a verified token is worth, for endpoints that tokens open. Envoy (jwt_authn) has noted the
-- claims of a valid token under "verified DIRECTORY", or why it is not valid under "failed NAME".
--
-- The route's filter context tells who may pass:
--     {endpoint, wants = "aml_token", audience}                      our own token, for this endpoint
--     {endpoint, wants = "aad_token", "user ID" = true, "group ID" = true, ...}    who has the role
-- Envoy lets a request pass whose script fails: nothing may be called outside its `pcall`.

local JWT = "envoy.filters.http.jwt_authn"
local SCORE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action"

local REASONS = {
  ["Jwt is expired"] = "the token has expired",
  ["Jwt not yet valid"] = "the token is not valid yet",
  ["Audiences in Jwt are not allowed"] = "the token is for another audience",
}
local OTHER_ISSUER = "Jwt issuer is not configured"

local function refuse(handle, status, error, message)
  handle:streamInfo():dynamicMetadata():set("verdazul", "refused", true)
  handle:respond({ [":status"] = status, ["www-authenticate"] = 'Bearer error="' .. error .. '"' },
    message)
end

-- The most telling reason: of several issuers, all others say that it is not of them.
local function why_not(notes)
  local reason
  for key, note in pairs(notes) do
    if key:match("^failed ") and (not reason or reason == OTHER_ISSUER) then
      reason = note.message
    end
  end
  if not reason then
    return "no issuer of tokens is known here; see VERDAZUL_ISSUERS_FILE"
  end
  return REASONS[reason] or ("the token cannot be verified (" .. reason .. ")")
end

local function verified(notes)
  for key, claims in pairs(notes) do
    local directory = key:match("^verified (.*)$")
    if directory then
      return claims, directory
    end
  end
end

local function is_for(claims, audience)
  if type(claims.aud) ~= "table" then
    return audience ~= nil and claims.aud == audience
  end
  for _, one in ipairs(claims.aud) do
    if one == audience then
      return true
    end
  end
  return false
end

local HEX = "%x"
local GUID = "^" .. HEX:rep(8) .. ("%-" .. HEX:rep(4)):rep(3) .. "%-" .. HEX:rep(12) .. "$"

-- An identity as role assignments name it: by id in the first directory, else //DIRECTORY/ID. A GUID is
-- the same in any case.
local function principal(id, directory)
  if type(id) ~= "string" or id == "" or (directory == "" and id:sub(1, 2) == "//") then
    return nil
  end
  id = id:match(GUID) and id:lower() or id
  return directory == "" and id or ("//" .. directory .. "/" .. id)
end

local function has_role(context, claims, directory)
  local user = principal(claims.oid or claims.sub, directory)
  if user and context:get("user " .. user) then
    return true
  end
  local groups = type(claims.groups) == "table" and claims.groups or {}
  for _, id in ipairs(groups) do
    local group = principal(id, directory)
    if group and context:get("group " .. group) then
      return true
    end
  end
  return false
end

local function judge_identity(handle, context, claims, directory)
  if not has_role(context, claims, directory) then
    local who = principal(claims.oid or claims.sub, directory) or "(neither oid nor sub)"
    refuse(handle, "403", "insufficient_scope", 'the token is valid, but principal "' .. who .. '" has no role that permits '
      .. SCORE .. ' on endpoint "' .. context:get("endpoint") .. '"')
  end
end

local function judge(handle)
  handle:headers():remove("x-verdazul-token")
  local context, metadata = handle:filterContext(), handle:streamInfo():dynamicMetadata()
  local notes = metadata:get(JWT) or {}
  local claims, directory = verified(notes)
  local failure = not claims and why_not(notes)
  if claims and context:get("wants") == "aml_token" and not is_for(claims, context:get("audience"))
  then
    failure = "the token is for another endpoint, or for one of this name that was deleted"
  end
  local locked_out = (metadata:get("verdazul") or {}).locked_out
  if failure and locked_out then
    metadata:set("verdazul", "refused", true)
    handle:respond({ [":status"] = "429", ["retry-after"] = locked_out },
      "too many wrong credentials came from this address; try again later")
  elseif failure then
    refuse(handle, "401", "invalid_token", failure)
  elseif context:get("wants") ~= "aml_token" then
    judge_identity(handle, context, claims, directory)
  end
end

function envoy_on_request(handle)
  local done, why = pcall(judge, handle)
  if not done then
    handle:logErr("token.lua: " .. tostring(why))
    handle:respond({ [":status"] = "500" }, "the gateway failed on this request; its log says why")
  end
end
