"""Bodies of new containers: what is served is read, what would have no effect is refused."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verdazul.engine.wanted import Bind, Wanted, container_name
from verdazul.model.errors import UserError

# as docker-py sends it for `local=True`
AZURES: dict[str, Any] = {
    "Hostname": None,
    "Domainname": None,
    "ExposedPorts": None,
    "User": None,
    "Tty": True,
    "OpenStdin": False,
    "AttachStdout": False,
    "Env": ["AZUREML_MODEL_DIR=/var/azureml-app/azureml-models//m/1", "A="],
    "Cmd": None,
    "Image": "credit:blue",
    "Volumes": {"/var/azureml-app/azureml-models//m/1:z": {}, "/var/azureml-app/src/": {}},
    "NetworkDisabled": False,
    "HostConfig": {
        "NetworkMode": "default",
        "PublishAllPorts": True,
        "Binds": [
            "/me/models:/var/azureml-app/azureml-models//m/1:z",
            "/me/src:/var/azureml-app/src/",
        ],
        "DeviceRequests": None,
        "ConsoleSize": [0, 0],
    },
    "NetworkingConfig": None,
    "Labels": {"endpoint": "credit"},
}


def test_what_azures_clients_send_is_read() -> None:
    wanted = Wanted.read(AZURES)

    assert wanted.image == "credit:blue"
    assert wanted.is_tty
    assert not wanted.has_gpu
    assert wanted.labels == {"endpoint": "credit"}
    assert wanted.env[1] == ("A", "")
    assert [bind.source for bind in wanted.binds] == ["/me/models", "/me/src"]


@pytest.mark.parametrize(
    ("value", "here"),
    [
        ("/var/azureml-app/azureml-models//m/1", "/me/models"),
        ("/var/azureml-app/azureml-models/m/1/deep/file", "/me/models/deep/file"),
        ("/var/azureml-app/src", "/me/src"),
        ("/var/azureml-app/src/lib", "/me/src/lib"),
        ("/var/azureml-app/src2", "/var/azureml-app/src2"),
        ("/elsewhere", "/elsewhere"),
        ("relative/path", "relative/path"),
        ("", ""),
    ],
)
def test_paths_of_the_container_become_paths_of_this_machine(value: str, here: str) -> None:
    assert Wanted.read(AZURES).place(value) == here


def test_the_deepest_bind_wins() -> None:
    binds = ["/a:/x", "/b:/x/y"]

    wanted = Wanted.read({"Image": "i", "HostConfig": {"Binds": binds}})

    assert wanted.place("/x/y/z") == "/b/z"
    assert wanted.binds[0] == Bind("/a", "/x")


def test_all_graphics_cards_are_asked_for_as_docker_does() -> None:
    requests = [{"Driver": "", "Count": -1, "DeviceIDs": None, "Capabilities": [["gpu"]]}]

    assert Wanted.read({"Image": "i", "HostConfig": {"DeviceRequests": requests}}).has_gpu


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"Cmd": ["sh"]}, "Cmd"),
        ({"User": "root"}, "User"),
        ({"Volumes": {"/data": {}}}, "Volumes"),
        ({"HostConfig": {"Memory": 1000}}, "HostConfig.Memory"),
        ({"HostConfig": {"Privileged": True}}, "HostConfig.Privileged"),
        ({"HostConfig": {"NetworkMode": "host"}}, "HostConfig.NetworkMode"),
        ({"HostConfig": {"Binds": ["/a:/b:ro"]}}, "HostConfig.Binds"),
        ({"HostConfig": {"Binds": ["named:/b"]}}, "HostConfig.Binds"),
        ({"HostConfig": {"Binds": "/a:/b"}}, "HostConfig.Binds"),
        ({"HostConfig": {"DeviceRequests": [{"Count": 1}]}}, "HostConfig.DeviceRequests"),
        ({"Env": ["=x"]}, "Env"),
        ({"Env": [1]}, "Env"),
        ({"Labels": {"a": 1}}, "Labels.a"),
        ({"Image": None}, "Image"),
    ],
)
def test_what_has_no_effect_or_is_wrong_is_refused_by_name(body: dict[str, Any], name: str) -> None:
    with pytest.raises(UserError) as caught:
        Wanted.read({"Image": "i", **body})

    assert caught.value.problem.message.startswith(name)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
_keys = st.sampled_from(["Image", "Env", "Labels", "HostConfig", "Volumes", "Tty", "Cmd", "X"])


@settings(deadline=None)
@given(st.dictionaries(_keys, _json))
def test_any_body_is_read_or_refused(body: dict[str, Any]) -> None:
    with contextlib.suppress(UserError):
        assert Wanted.read(body).image


def test_names_are_as_docker_takes_them() -> None:
    assert container_name("/credit.blue") == "credit.blue"
    for bad in ("", "a", "../x", "a b", "a/b", "x" * 3 + "\n"):
        with pytest.raises(UserError, match="Invalid container name"):
            container_name(bad)
