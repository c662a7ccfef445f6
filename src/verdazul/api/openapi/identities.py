"""Routes of the issuer and of the home's own identities: what `/openapi.json` says of them."""

from __future__ import annotations

from verdazul.api.bodies import TEXT, TEXTS, TRUTH
from verdazul.api.openapi.operation import Answer, Answers, Operation, shows
from verdazul.model.schema import Schema, nullable

FORM = "application/x-www-form-urlencoded"
_PAGE: Answers = {200: Answer("A form, or what came of it.", "Page", media="text/html")}
_ISSUER, _PAGES, _USERS, _PROGRAMS = "Issuer", "Issuer", "Users", "Service principals"
_TIME: Schema = {"type": "string", "format": "date-time"}
_MADE = "It is made."
_TEXT_LIST: Schema = {"type": "array", "items": TEXT}


def _refused(*statuses: int) -> Answers:
    told = "No token; `error` says why, in OAuth's words."
    return {status: Answer(told, "TokenError") for status in statuses}


def _wrong(*statuses: int) -> Answers:
    told = "The form again, with what was wrong."
    return {status: Answer(told, "Page", media="text/html") for status in statuses}


def _token(path: str, suffix: str) -> dict[str, Operation]:
    return {
        f"POST {{tenant}}/oauth2/{path}token": Operation(
            f"Issuer_GetToken{suffix}",
            _ISSUER,
            "Give a token to a program for its secret, or to a person's program for a code or an "
            "earlier login",
            {**shows("IssuedToken", says="The token."), **_refused(400, 401, 503)},
            body="TokenForm",
            media=FORM,
            security=("client",),
        )
    }


def _discovery(path: str, suffix: str) -> dict[str, Operation]:
    return {
        f"GET {{tenant}}/{path}.well-known/openid-configuration": Operation(
            f"Issuer_Describe{suffix}",
            _ISSUER,
            "Say where the issuer has what (OpenID Connect discovery)",
            {**shows("IssuerDescription"), **_refused(400)},
        )
    }


IDENTITIES = {
    **_discovery("v2.0/", ""),
    **_discovery("", "V1"),
    "GET {tenant}/discovery/v2.0/keys": Operation(
        "Issuer_GetKeys",
        _ISSUER,
        "Show the public keys of all tokens that have not expired",
        {**shows("KeySet"), **_refused(400)},
    ),
    **_token("v2.0/", ""),
    **_token("", "V1"),
    "POST {tenant}/oauth2/v2.0/devicecode": Operation(
        "Issuer_BeginLogin",
        _ISSUER,
        "Begin a login that a person allows on the page `devicelogin`",
        {**shows("DeviceCode", says="The code."), **_refused(400, 503)},
        body="DeviceCodeForm",
        media=FORM,
    ),
    "GET {tenant}/oauth2/v2.0/authorize": Operation(
        "Issuer_Authorize",
        _PAGES,
        "The page on which a person logs in for a program on their own machine",
        {**_PAGE, 303: Answer("Back to the program: why there is no page."), **_wrong(400)},
    ),
    "POST browserlogin": Operation(
        "BrowserLogin_Answer",
        _PAGES,
        "The form of that page",
        {
            **_PAGE,
            303: Answer("Back to the program, with a code or why there is none."),
            **_wrong(400, 403, 429),
        },
        body="BrowserLoginForm",
        media=FORM,
    ),
    "GET common/discovery/instance": Operation(
        "Issuer_DescribeInstance",
        _ISSUER,
        "Say that this address is an authority",
        shows("IssuerInstance"),
    ),
    "GET devicelogin": Operation(
        "DeviceLogin_Show", _PAGES, "The page on which a person types a code in", _PAGE
    ),
    "POST devicelogin": Operation(
        "DeviceLogin_Answer",
        _PAGES,
        "Either form of that page",
        {**_PAGE, **_wrong(400, 403, 429)},
        body="DeviceLoginForm",
        media=FORM,
    ),
    "GET v1.0/users": Operation(
        "Users_List", _USERS, "List people", shows("UserList"), query=("$filter",)
    ),
    "POST v1.0/users": Operation(
        "Users_Create",
        _USERS,
        "Make a person who can log in",
        {201: Answer(_MADE, "User")},
        body="UserBody",
    ),
    "GET v1.0/users/{id}": Operation("Users_Get", _USERS, "Show a person", shows("User")),
    "PATCH v1.0/users/{id}": Operation(
        "Users_Update",
        _USERS,
        "Give a new password; what the old one has begun ends",
        {204: Answer("It is changed.")},
        body="UserPatch",
    ),
    "DELETE v1.0/users/{id}": Operation(
        "Users_Delete", _USERS, "Delete a person, with all roles", {204: Answer("It is gone.")}
    ),
    "GET v1.0/servicePrincipals": Operation(
        "ServicePrincipals_List",
        _PROGRAMS,
        "List programs",
        shows("ServicePrincipalList"),
        query=("$filter",),
    ),
    "POST v1.0/servicePrincipals": Operation(
        "ServicePrincipals_Create",
        _PROGRAMS,
        "Make a program; it can log in once it has a secret",
        {201: Answer(_MADE, "ServicePrincipal")},
        body="ServicePrincipalBody",
    ),
    "GET v1.0/servicePrincipals/{id}": Operation(
        "ServicePrincipals_Get", _PROGRAMS, "Show a program", shows("ServicePrincipal")
    ),
    "DELETE v1.0/servicePrincipals/{id}": Operation(
        "ServicePrincipals_Delete",
        _PROGRAMS,
        "Delete a program, with all roles; its tokens are refused at once",
        {204: Answer("It is gone.")},
    ),
    "POST v1.0/servicePrincipals/{id}/addPassword": Operation(
        "ServicePrincipals_AddPassword",
        _PROGRAMS,
        "Make a further secret, shown this once",
        shows("NewSecret", says="The secret."),
        body="AddPassword",
    ),
    "GET v1.0/me": Operation("Me_Get", _USERS, "Show the person who asks", shows("User")),
    "POST v1.0/me/changePassword": Operation(
        "Me_ChangePassword",
        _USERS,
        "Give oneself a new password; what the old one has begun ends",
        {
            204: Answer("It is changed."),
            429: Answer("Too many wrong passwords; try again later.", "Error"),
        },
        body="ChangePassword",
    ),
    "POST v1.0/directoryObjects/getByIds": Operation(
        "DirectoryObjects_GetByIds",
        _USERS,
        "Show the people and programs of these ids",
        shows("DirectoryObjectList", says="Those that there are."),
        body="GetByIds",
    ),
    "POST v1.0/servicePrincipals/{id}/removePassword": Operation(
        "ServicePrincipals_RemovePassword",
        _PROGRAMS,
        "Make a secret worthless",
        {204: Answer("It is gone.")},
        body="RemovePassword",
    ),
}


def _closed(required: Schema, optional: Schema | None = None) -> Schema:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
        "additionalProperties": False,
    }


def _open(**properties: Schema) -> Schema:
    """A form: OAuth lets clients send more, which is not looked at."""
    return {"type": "object", "properties": properties}


_SECRET = {
    "keyId": TEXT,
    "displayName": TEXT,
    "hint": TEXT,
    "startDateTime": _TIME,
    "endDateTime": _TIME,
}
_USER = _closed(
    {
        "id": TEXT,
        "userPrincipalName": TEXT,
        "displayName": TEXT,
        "accountEnabled": TRUTH,
        "createdDateTime": _TIME,
    }
)
_PROGRAM = _closed(
    {
        "id": TEXT,
        "appId": TEXT,
        "displayName": TEXT,
        "servicePrincipalType": TEXT,
        "accountEnabled": TRUTH,
        "createdDateTime": _TIME,
        "passwordCredentials": {"type": "array", "items": _closed(_SECRET)},
    }
)
_COUNT: Schema = {"type": "integer", "minimum": 0}


def _typed(properties: Schema) -> Schema:
    return _closed({"@odata.type": TEXT, **properties["properties"]})


IDENTITY_SCHEMAS: dict[str, Schema] = {
    "User": _USER,
    "UserList": _closed({"value": {"type": "array", "items": _USER}}),
    "DirectoryObjectList": _closed(
        {"value": {"type": "array", "items": {"anyOf": [_typed(_USER), _typed(_PROGRAM)]}}}
    ),
    "ServicePrincipal": _PROGRAM,
    "ServicePrincipalList": _closed({"value": {"type": "array", "items": _PROGRAM}}),
    "NewSecret": _closed({**_SECRET, "secretText": TEXT}),
    "IssuedToken": _closed(
        {
            "token_type": TEXT,
            "scope": TEXT,
            "expires_in": _COUNT,
            "ext_expires_in": _COUNT,
            "expires_on": TEXT,
            "access_token": TEXT,
        },
        {"refresh_token": TEXT, "id_token": TEXT, "client_info": TEXT},
    ),
    "TokenError": _closed(
        {
            "error": TEXT,
            "error_description": TEXT,
            "error_codes": {"type": "array", "items": {"type": "integer"}},
        }
    ),
    "DeviceCode": _closed(
        {
            "user_code": TEXT,
            "device_code": TEXT,
            "verification_uri": TEXT,
            "verification_url": TEXT,
            "expires_in": _COUNT,
            "interval": _COUNT,
            "message": TEXT,
        }
    ),
    "IssuerDescription": _closed(
        {
            **dict.fromkeys(
                (
                    "issuer",
                    "token_endpoint",
                    "device_authorization_endpoint",
                    "authorization_endpoint",
                    "jwks_uri",
                ),
                TEXT,
            ),
            **dict.fromkeys(
                (
                    "grant_types_supported",
                    "response_types_supported",
                    "response_modes_supported",
                    "code_challenge_methods_supported",
                    "scopes_supported",
                    "subject_types_supported",
                    "id_token_signing_alg_values_supported",
                    "token_endpoint_auth_methods_supported",
                ),
                _TEXT_LIST,
            ),
        }
    ),
    "IssuerInstance": _closed(
        {
            "tenant_discovery_endpoint": TEXT,
            "api-version": TEXT,
            "metadata": {"type": "array", "items": {"type": "object"}},
        }
    ),
    "KeySet": _closed({"keys": {"type": "array", "items": TEXTS}}),
    "Page": TEXT,
    "TokenForm": _open(
        grant_type=TEXT,
        client_id=TEXT,
        client_secret=TEXT,
        scope=TEXT,
        resource=TEXT,
        device_code=TEXT,
        code=TEXT,
        code_verifier=TEXT,
        redirect_uri=TEXT,
        refresh_token=TEXT,
    ),
    "DeviceCodeForm": _open(client_id=TEXT, scope=TEXT, resource=TEXT),
    "BrowserLoginForm": _open(
        ticket=TEXT,
        user=TEXT,
        password=TEXT,
        choice=nullable({"type": "string", "enum": ["allow", "deny"]}),
    ),
    "DeviceLoginForm": _open(
        code=TEXT,
        ticket=TEXT,
        user=TEXT,
        password=TEXT,
        choice=nullable({"type": "string", "enum": ["allow", "deny"]}),
    ),
}
