"""Azure's credentials, unmodified, one line of JSON for what came of each.

Run by the SDK's own interpreter as `python credentials.py ENDPOINT`, where ENDPOINT is the address
of one with auth_mode aad_token. All else stands in variables.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
import sys
import threading
import warnings
import webbrowser
from typing import Any

warnings.filterwarnings("ignore")

import requests  # noqa: E402
from azure.ai.ml import MLClient  # noqa: E402
from azure.core.exceptions import AzureError  # noqa: E402
from azure.identity import (  # noqa: E402
    AzureCliCredential,
    ClientSecretCredential,
    DefaultAzureCredential,
    DeviceCodeCredential,
    InteractiveBrowserCredential,
)

ENDPOINT = sys.argv[1]
ADDRESS = os.environ["AZURE_AUTHORITY_HOST"]
TENANT_ID = "00000000-0000-0000-0000-000000000000"
WORKSPACE = (TENANT_ID, "local", "verdazul")


def tell(what: str, told: object) -> None:
    print(json.dumps([what, told]), flush=True)


def holder(token: str) -> Any:
    claims = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["oid"]


def asked(credential: Any) -> str:
    """What the SDK's own call says; an identity without a role is told who it is."""
    try:
        found = list(MLClient(credential, *WORKSPACE).online_endpoints.list())
    except AzureError as error:
        return re.sub(r"\s+", " ", str(error))[:300]
    return f"listed {len(found)}"


def scored(credential: Any) -> int:
    token = credential.get_token("https://ml.azure.com/.default").token
    headers = {"Authorization": f"Bearer {token}"}
    return requests.post(ENDPOINT, json=1, headers=headers, timeout=30).status_code


def log_in(address: str, code: str, _expires: object) -> None:
    """What a person does in a browser."""
    shown = requests.post(address, data={"code": code}, timeout=30).text
    ticket = re.findall(r'name="ticket" value="([^"]+)"', shown)[0]
    form = {"ticket": ticket, "user": os.environ["PERSON"], "password": os.environ["PASSWORD"]}
    requests.post(address, data=form, timeout=30).raise_for_status()


def browse(address: str) -> bool:
    """The same, where the program opens a browser: in a thread, as it waits only then."""
    threading.Thread(target=_follow, args=(address,)).start()
    return True


def _follow(address: str) -> None:
    shown = requests.get(address, timeout=30).text
    ticket = re.findall(r'name="ticket" value="([^"]+)"', shown)[0]
    form = {"ticket": ticket, "user": os.environ["PERSON"], "password": os.environ["PASSWORD"]}
    brought = requests.post(f"{ADDRESS}/browserlogin", data=form, timeout=30)
    if "<form" in brought.text:  # response_mode=form_post; else requests has followed the redirect
        place = html.unescape(re.findall(r'action="([^"]+)"', brought.text)[0])
        pairs = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', brought.text)
        requests.post(place, data={n: html.unescape(v) for n, v in pairs}, timeout=30)


class Browser(webbrowser.BaseBrowser):
    """What the library finds for a browser."""

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:  # noqa: FBT001, FBT002
        del new, autoraise
        return browse(url)


webbrowser.register("test", None, Browser(), preferred=True)
secret = (os.environ["AZURE_CLIENT_ID"], os.environ["AZURE_CLIENT_SECRET"])
credentials: dict[str, Any] = {
    "variables alone": DefaultAzureCredential(),
    "by its id": ClientSecretCredential(TENANT_ID, *secret, disable_instance_discovery=True),
    "a browser": InteractiveBrowserCredential(tenant_id="adfs", timeout=60),
    "a person": DeviceCodeCredential(tenant_id="adfs", prompt_callback=log_in),
    "through az": AzureCliCredential(tenant_id="adfs"),
}
for name, credential in credentials.items():
    tell(f"{name}: holder", holder(credential.get_token(f"{ADDRESS}/.default").token))
    tell(f"{name}: scored", scored(credential))
    tell(f"{name}: asked", asked(credential))
try:
    ClientSecretCredential("adfs", secret[0], "a guess").get_token(f"{ADDRESS}/.default")
except AzureError as error:
    tell("a guess", str(error))
