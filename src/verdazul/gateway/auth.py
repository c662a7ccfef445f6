"""Who may pass, in Envoy's words: the filters in front of the router, and what a route tells them.

    filter.lua    every endpoint: keys are judged here, tokens handed on
    jwt_authn     token endpoints: notes what a valid token says, or why it is not valid
    token.lua     token endpoints: judges that, and answers 401 or 403

jwt_authn never answers itself: it would say 403 for a token of another audience, and a token that
it cannot read must count as a failed attempt. Its signers come by file (ECDS), so that a new key
needs neither a new listener nor the control plane after a restart of Envoy. Both requirements are
always there, whatever the signers: a route may name them at any time.
"""

from __future__ import annotations

import hashlib
from typing import Any

from verdazul.core.route import Route
from verdazul.core.trust import Identities, OwnTokens, Signer, Trust
from verdazul.gateway.answers import answered_200, script, spared

Json = dict[str, Any]

SIGNERS = "verdazul.signers"  # the jwt_authn filter, and what is discovered
TOKEN_HEADER = "x-verdazul-token"  # noqa: S105 - a header's name
_KEYS_FILTER = "envoy.filters.http.lua"
_TOKENS_FILTER = "verdazul.tokens"
_OWN, _PROVIDERS = "aml_token", "aad_token"
_LONGEST_TOKEN = 16384
_TYPE = "type.googleapis.com/"
_FILTERS = _TYPE + "envoy.extensions.filters.http."
_JWT = _FILTERS + "jwt_authn.v3.JwtAuthentication"


def filters() -> list[Json]:
    """In the order that requests pass them. The last two do nothing but where a route says so."""
    return [
        spared(_KEYS_FILTER, script("filter.lua"), answered_200()),
        {"name": SIGNERS, "config_discovery": _discovered(), "disabled": True},
        {"name": _TOKENS_FILTER, "typed_config": script("token.lua"), "disabled": True},
    ]


def _discovered() -> Json:
    source = {"path": "gateway/ecds/ecds.json", "watched_directory": {"path": "gateway/ecds"}}
    config = {"resource_api_version": "V3", "path_config_source": source}
    return {"config_source": config, "type_urls": [_JWT]}


def per_route(route: Route) -> Json:
    """What opens this endpoint, on every route of it."""
    about: Json = {"endpoint": route.endpoint}
    match route.door:
        case None:
            return told(about | dict.fromkeys(route.key_digests, True))
        case OwnTokens(audience):
            return _wants_token(about, _OWN, {"audience": audience})
        case Identities(users, groups):
            # One entry for each principal: it is looked up, however many there are.
            passes = {f"user {user}": True for user in users}
            passes |= {f"group {group}": True for group in groups}
            return _wants_token(about, _PROVIDERS, passes)


def told(context: Json) -> Json:
    """A filter context for filter.lua."""
    return {_KEYS_FILTER: _lua_context(context)}


def _wants_token(about: Json, requirement: str, passes: Json) -> Json:
    about = about | {"wants": requirement}
    needs = {"@type": _FILTERS + "jwt_authn.v3.PerRouteConfig", "requirement_name": requirement}
    return told(about) | {SIGNERS: needs, _TOKENS_FILTER: _lua_context(about | passes)}


def _lua_context(context: Json) -> Json:
    return {"@type": _FILTERS + "lua.v3.LuaPerRoute", "filter_context": context}


def signers(trust: Trust) -> Json:
    """The discovered filter: who signs tokens, and which of them each kind of route takes."""
    own = {"own": _provider(trust.own, "own")} if trust.own else {}
    others = {name: _provider(signer, name) for name, signer in _named(trust.providers)}
    config = {
        "@type": _JWT,
        "providers": own | others,
        "requirement_map": {_OWN: _any_of(own), _PROVIDERS: _any_of(others)},
    }
    kind = _TYPE + "envoy.config.core.v3.TypedExtensionConfig"
    return {"@type": kind, "name": SIGNERS, "typed_config": config}


def _named(providers: tuple[Signer, ...]) -> list[tuple[str, Signer]]:
    """By issuer: the order in which they are declared changes nothing."""
    known = {hashlib.sha256(one.issuer.encode()).hexdigest()[:16]: one for one in providers}
    return sorted(known.items())


def _provider(signer: Signer, name: str) -> Json:
    """Keys, claims and times are checked by Envoy; what is verified is noted with its directory."""
    return {
        "issuer": signer.issuer,
        "audiences": list(signer.audiences),
        "local_jwks": {"inline_string": signer.keys},
        "from_headers": [{"name": TOKEN_HEADER}],
        "payload_in_metadata": f"verified {signer.directory}",
        "failed_status_in_metadata": f"failed {name}",
        "require_expiration": True,
        "clock_skew_seconds": signer.clock_skew_seconds,
        "jwt_cache_config": {"jwt_cache_size": 1000, "jwt_max_token_size": _LONGEST_TOKEN},
    }


def _any_of(providers: Json) -> Json:
    """One of them, or none: token.lua refuses what none has verified."""
    choices: list[Json] = [{"provider_name": name} for name in providers]
    nothing: Json = {"allow_missing_or_failed": {}}
    return {"requires_any": {"requirements": [*choices, nothing]}} if choices else nothing
