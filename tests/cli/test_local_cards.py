"""How each engine is asked for graphics cards, and what is said where that would be in vain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from verdazul.cli.local import cards
from verdazul.client.engine import Engine
from verdazul.model.errors import UserError

pytestmark = pytest.mark.azure(109)
DOCKER = {"Name": "Engine", "Version": "28.0.1"}


def podman(version: str) -> dict[str, str]:
    return {"Name": "Podman Engine", "Version": version}


@contextmanager
def engine(component: dict[str, str]) -> Iterator[Engine]:
    told = {"ApiVersion": "1.41", "Components": [component, {"Name": "Conmon", "Version": ""}]}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=told))
    with Engine(httpx.Client(transport=transport, base_url="http://d"), "unix:///x") as opened:
        yield opened


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "nvidia-smi"
    file.write_text("#!/bin/sh\necho GPU 0\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return file


@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize(
    ("component", "request_"),
    [
        (DOCKER, {"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}),
        (podman("5.4.0"), {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=all"]}),
        (podman("6.0.0-rc1"), {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=all"]}),
    ],
)
def test_all_cards_are_asked_for(component: dict[str, str], request_: dict[str, object]) -> None:
    with engine(component) as found:
        assert cards.request(found) == [request_]


@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize("version", ["4.3.1", "5.3.9"])
def test_a_podman_that_would_leave_them_out_is_named(version: str) -> None:
    with engine(podman(version)) as found, pytest.raises(UserError, match=f"podman {version}"):
        cards.request(found)


def test_a_driver_that_fails_says_why(driver: Path) -> None:
    driver.write_text("#!/bin/sh\necho no devices were found\nexit 6\n")

    with engine(DOCKER) as found, pytest.raises(UserError, match="fails: no devices were found"):
        cards.request(found)
