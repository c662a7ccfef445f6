"""A small real server that speaks the part of the API the command uses, in memory, over http.

Operations advance one step each time they are looked at, so that tests wait for nothing.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from verdazul.model.errors import Problem

TOKEN = "control-token-7f1c"
KEYS = {"primaryKey": "primary-key-aa11", "secondaryKey": "secondary-key-bb22"}
PREFIX = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local"
    "/providers/Microsoft.MachineLearningServices/workspaces/verdazul"
)
WORKSPACE = {
    "id": PREFIX,
    "name": "verdazul",
    "location": "local",
    "tags": {},
    "properties": {
        "friendlyName": "verdazul",
        "mlFlowTrackingUri": None,
        "storageAccount": "/subscriptions/0/storageAccounts/store",
        "containerRegistry": "/subscriptions/0/registries/images",
        "keyVault": "/subscriptions/0/vaults/secrets",
    },
}
MADE: dict[str, Any] = {
    "accessToken": "made-token-ee55",
    "expiryTimeUtc": 200,
    "refreshAfterTimeUtc": 100,
    "tokenType": "Bearer",
}
DEFINITIONS = "providers/Microsoft.Authorization/roleDefinitions"
FIXED = {
    PREFIX: WORKSPACE,
    f"{PREFIX.partition('/resourceGroups/')[0]}/{DEFINITIONS}": {"value": []},
    f"{PREFIX}/{DEFINITIONS}": {"value": []},
}
ROLES = "providers/Microsoft.Authorization/roleAssignments"
SIGNATURE = "sig=upload-secret-cc33"


@dataclass(frozen=True)
class Seen:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Operation:
    progress: list[str]
    problem: Problem | None
    finish: Callable[[], object]
    endless: bool
    looks: int = 0


class Api:
    """The state of the server, and what the next operation shall do."""

    def __init__(self) -> None:
        self.address = ""
        self.seen: list[Seen] = []
        self.resources: dict[str, dict[str, Any]] = {}
        self.generations: dict[str, int] = {}
        self.operations: dict[str, Operation] = {}
        self.blobs: dict[str, bytes] = {}
        self.keys = dict(KEYS)
        self.roles: dict[str, dict[str, Any]] = {}
        self.opens = {KEYS["primaryKey"], MADE["accessToken"]}
        self.progress: list[str] = []
        self.next_problem: Problem | None = None
        self.endless = False
        self.canned: list[tuple[str, str, Reply]] = []
        self.before_put: Callable[[], None] = lambda: None
        self.score: Callable[[Seen], Reply] = lambda seen: Reply(200, json.loads(seen.body))
        self._numbers = itertools.count()

    def answer_next(self, method: str, path_end: str, reply: Reply) -> None:
        """Answer the next such request with this instead."""
        self.canned.append((method, path_end, reply))

    def requests(self, method: str, part: str = "") -> list[Seen]:
        return [seen for seen in self.seen if seen.method == method and part in seen.path]

    def path(self, *segments: str) -> str:
        return "/".join([PREFIX, *segments])

    def change(self, path: str, **properties: Any) -> None:
        """Somebody else changes a resource."""
        self.resources[path]["properties"].update(properties)
        self.generations[path] += 1

    def handle(self, seen: Seen) -> Reply:
        self.seen.append(seen)
        for entry in self.canned:
            if entry[0] == seen.method and seen.path.endswith(entry[1]):
                self.canned.remove(entry)
                return entry[2]
        return self._data(seen) or self._control(seen)

    def _data(self, seen: Seen) -> Reply | None:
        if seen.path.startswith("/blobs/"):
            return self._blob(seen)
        if seen.path.startswith("/score/"):
            return self._score(seen)
        return None

    def _control(self, seen: Seen) -> Reply:
        if seen.headers.get("authorization") != f"Bearer {TOKEN}":
            return refuse(401, "AuthenticationFailed", "the token is not this server's")
        if seen.path == "/msi/token":
            return Reply(200, {"access_token": "owner-token-ff66", "expires_on": "300"})
        if seen.path.startswith("/operations/"):
            return self._look(seen.path)
        if seen.path in FIXED:
            return Reply(200, FIXED[seen.path])
        if not seen.path.startswith(PREFIX + "/"):
            return refuse(404, "ResourceNotFound", f"there is nothing at {seen.path}")
        return self._resource(seen)

    def _resource(self, seen: Seen) -> Reply:
        rest = seen.path.removeprefix(PREFIX + "/")
        for pattern, handler in (
            (r"onlineEndpoints/[^/]+/(listKeys|regenerateKeys)", self._keys),
            (r"onlineEndpoints/[^/]+/token", self._token),
            (r"(onlineEndpoints/[^/]+/)?" + ROLES, self._roles),
            (r"(onlineEndpoints/[^/]+/)?" + ROLES + "/[^/]+", self._role),
            (r"onlineEndpoints/[^/]+/(pause|resume)", self._pausing),
            (r"onlineEndpoints/[^/]+/deployments/[^/]+/getLogs", self._logs),
            (r"(codes|models)/[^/]+/versions/[^/]+/startPendingUpload", self._pending),
            (r"(codes|models|environments)/[^/]+/versions", self._versions),
            (r"(codes|models|environments)/[^/]+/versions/[^/]+", self._asset),
            (r"onlineEndpoints(/[^/]+/deployments)?", self._list),
            (r"onlineEndpoints/[^/]+(/deployments/[^/]+)?", self._online),
        ):
            if re.fullmatch(pattern, rest):
                return handler(seen)
        return refuse(404, "ResourceNotFound", f"there is nothing at {seen.path}")

    def _pausing(self, seen: Seen) -> Reply:
        path, _, action = seen.path.rpartition("/")
        properties = self.resources[path]["properties"]
        if properties.get("isPaused", False) == (action == "pause"):
            return Reply(204)
        properties["isPaused"] = action == "pause"
        return Reply(202, None, self._begin(lambda: None))

    def _online(self, seen: Seen) -> Reply:
        parent = seen.path.partition("/deployments/")[0]
        if parent != seen.path and parent not in self.resources:
            return not_found(parent)
        if seen.method == "PUT":
            return self._put(seen)
        if seen.method == "DELETE":
            return self._delete(seen)
        if seen.path not in self.resources:
            return not_found(seen.path)
        return Reply(200, self.resources[seen.path], self._etag(seen.path))

    def _put(self, seen: Seen) -> Reply:
        self.before_put()
        is_new = seen.path not in self.resources
        expected = seen.headers.get("if-match")
        if expected and expected != self._etag(seen.path).get("ETag"):
            return refuse(412, "PreconditionFailed", "it was changed meanwhile")
        if seen.headers.get("if-none-match") == "*" and not is_new:
            return refuse(412, "PreconditionFailed", "it exists already")
        name = seen.path.rpartition("/")[2]
        body = {**seen.json, "id": seen.path, "name": name}
        properties = body["properties"]
        properties.update(provisioningState="Creating" if is_new else "Updating")
        if "/deployments/" not in seen.path:
            properties["scoringUri"] = f"{self.address}/score/{name}"
            properties["swaggerUri"] = f"{self.address}/score/{name}/swagger.json"
        self.resources[seen.path] = body
        self.generations[seen.path] = self.generations.get(seen.path, 0) + 1
        headers = self._begin(lambda: properties.update(provisioningState="Succeeded"))
        if self.operations[headers["Azure-AsyncOperation"].rpartition("/")[2]].problem:
            properties["provisioningState"] = "Failed"
        return Reply(201 if is_new else 200, json.loads(json.dumps(body)), headers)

    def _delete(self, seen: Seen) -> Reply:
        if seen.path not in self.resources:
            return Reply(204)
        name = seen.path.rpartition("/")[2]
        parent = self.resources.get(seen.path.partition("/deployments/")[0], {})
        traffic = parent.get("properties", {}).get("traffic") or {}
        if "/deployments/" in seen.path and traffic.get(name):
            return refuse(400, "BadRequest", f'deployment "{name}" has {traffic[name]} % traffic')
        return Reply(202, None, self._begin(lambda: self.resources.pop(seen.path)))

    def _begin(self, finish: Callable[[], object]) -> dict[str, str]:
        number = str(next(self._numbers))
        self.operations[number] = Operation(self.progress, self.next_problem, finish, self.endless)
        self.next_problem = None
        url = f"{self.address}/operations/{number}"
        return {"Azure-AsyncOperation": url, "Retry-After": "1"}

    def _look(self, path: str) -> Reply:
        operation = self.operations[path.rpartition("/")[2]]
        operation.looks += 1
        told = operation.progress[: operation.looks]
        body: dict[str, Any] = {
            "id": path,
            "name": path.rpartition("/")[2],
            "status": "InProgress",
            "properties": {
                "progress": [{"time": str(n), "message": m} for n, m in enumerate(told)]
            },
        }
        if operation.endless or operation.looks <= len(operation.progress):
            return Reply(200, body, {"Retry-After": "1"})
        if operation.problem:
            return Reply(200, {**body, "status": "Failed", "error": operation.problem.to_arm()})
        operation.finish()
        return Reply(200, {**body, "status": "Succeeded"})

    def _list(self, seen: Seen) -> Reply:
        parent = seen.path.removesuffix("/deployments")
        if parent != seen.path and parent not in self.resources:
            return not_found(parent)
        found = [
            body
            for path, body in sorted(self.resources.items())
            if path.startswith(seen.path + "/") and "/" not in path[len(seen.path) + 1 :]
        ]
        start = int(seen.query.get("$skip", ["0"])[0])
        page: dict[str, Any] = {"value": found[start : start + 2]}
        if start + 2 < len(found):
            page["nextLink"] = f"https://somewhere.else{seen.path}?$skip={start + 2}"
        return Reply(200, page)

    def _keys(self, seen: Seen) -> Reply:
        endpoint, _, action = seen.path.rpartition("/")
        if endpoint not in self.resources:
            return not_found(endpoint)
        if action == "listKeys":
            return Reply(200, self.keys)
        kind = f"{seen.json['keyType'].lower()}Key"
        return Reply(202, None, self._begin(lambda: self.keys.update({kind: "renewed-key-dd44"})))

    def _token(self, seen: Seen) -> Reply:
        endpoint = self.resources[seen.path.removesuffix("/token")]
        assert endpoint["properties"]["authMode"] == "AMLToken"
        return Reply(200, MADE)

    def _roles(self, seen: Seen) -> Reply:
        scope = seen.path.removesuffix(f"/{ROLES}")
        at_scope = seen.query.get("$filter") == ["atScope()"]
        found = [
            body
            for body in self.roles.values()
            if scope.startswith(place := body["properties"]["scope"])
            or (place.startswith(scope) and not at_scope)
        ]
        return Reply(200, {"value": found})

    def _role(self, seen: Seen) -> Reply:
        if seen.method == "DELETE":
            gone = self.roles.pop(seen.path, None)
            return Reply(200, gone) if gone else Reply(204)
        name = seen.path.rpartition("/")[2]
        properties = {**seen.json["properties"], "scope": seen.path.partition(f"/{ROLES}")[0]}
        kind = "Microsoft.Authorization/roleAssignments"
        body = {"id": seen.path, "name": name, "type": kind, "properties": properties}
        self.roles[seen.path] = body
        return Reply(201, body)

    def _logs(self, seen: Seen) -> Reply:
        if seen.path.removesuffix("/getLogs") not in self.resources:
            return not_found(seen.path.removesuffix("/getLogs"))
        lines = [f"line {n}\tof the log" for n in range(1, 11)]
        return Reply(200, {"content": "\n".join(lines[-seen.json["tail"] :]) + "\n"})

    def _pending(self, seen: Seen) -> Reply:
        uri = f"{self.address}/blobs/{seen.path.split('/')[-5]}-{next(self._numbers)}"
        credential = {"credentialType": "SAS", "sasUri": f"{uri}?{SIGNATURE}"}
        reference = {"blobUri": uri, "credential": credential}
        return Reply(200, {"pendingUploadId": "1", "blobReferenceForConsumption": reference})

    def _blob(self, seen: Seen) -> Reply:
        allowed = seen.query.get("sig") == ["upload-secret-cc33"]
        if not allowed or seen.headers.get("x-ms-blob-type") != "BlockBlob":
            return Reply(403)
        self.blobs[unquote(seen.path)] = seen.body
        return Reply(201)

    def _versions(self, seen: Seen) -> Reply:
        """By hash over the whole kind, else by name."""
        kind = seen.path.split("/")[-3]
        wanted = seen.query.get("hash", [""])[0]
        below = f"{PREFIX}/{kind}/" if wanted else f"{seen.path}/"
        found = [body for path, body in self.resources.items() if path.startswith(below)]
        if wanted:
            found = [body for body in found if _hash(body) == wanted]
        return Reply(200, {"value": found})

    def _asset(self, seen: Seen) -> Reply:
        if seen.method == "PUT":
            name = seen.path.rpartition("/")[2]
            self.resources[seen.path] = {**seen.json, "id": seen.path, "name": name}
            return Reply(201, self.resources[seen.path])
        if seen.path not in self.resources:
            return not_found(seen.path)
        return Reply(200, self.resources[seen.path])

    def _score(self, seen: Seen) -> Reply:
        if seen.headers.get("authorization", "").removeprefix("Bearer ") not in self.opens:
            return Reply(401)
        return self.score(seen)

    def _etag(self, path: str) -> dict[str, str]:
        return {"ETag": f'"{self.generations[path]}"'} if path in self.generations else {}


def _hash(asset: dict[str, Any]) -> str:
    return str(asset["properties"].get("properties", {}).get("hash_sha256"))


def refuse(status: int, code: str, message: str) -> Reply:
    return Reply(status, {"error": {"code": code, "message": message}})


def not_found(path: str) -> Reply:
    return refuse(404, "ResourceNotFound", f"{path} does not exist")


@contextmanager
def running() -> Iterator[Api]:
    """Serve an empty workspace on a free port."""
    api = Api()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(api))
    server.daemon_threads = False
    api.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(api: Api) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes: do not wait between them

        def answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen = Seen(str(self.command), parts.path, parse_qs(parts.query), headers, body)
            with lock:
                reply = api.handle(seen)
            self.reply(reply)

        do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 - the base class' names

        def reply(self, reply: Reply) -> None:
            data = reply.body if isinstance(reply.body, bytes) else b""
            if reply.body is not None and not isinstance(reply.body, bytes):
                data = json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Stay silent: stderr is what the tests look at."""

    return Handler
