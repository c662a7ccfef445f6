"""Container engines for the contract: our local engine, and a real one where the machine has one.

A real one, Docker or podman, is looked for at VERDAZUL_TEST_DOCKER_HOST, else at the usual sockets.
Its images are made from scratch around a static busybox: no registry is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from verdazul.client.engine import DockerEngineNotAvailable, Engine
from verdazul.engine.ending import stop_engine
from verdazul.engine.starting import start
from verdazul.model.errors import VerdazulError
from verdazul.settings import Settings

_USUAL = ("unix:///var/run/docker.sock", "unix:///run/podman/podman.sock")
SCORE = "def init(): print('it began')\ndef run(raw): return raw\n"
BROKEN = "def init(): raise ValueError('the weights are gone')\ndef run(raw): ...\n"
DOCKERFILE = """FROM mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04
RUN mkdir -p /var/azureml-app/
WORKDIR /var/azureml-app/
COPY conda.yml /var/azureml-app/
RUN conda env create -n inf-conda-env --file conda.yml
CMD ["conda", "run", "--no-capture-output", "-n", "inf-conda-env", "runsvdir", "/var/runit"]
"""
CONDA = "dependencies:\n- python=3.11\n- pip\n"


class World(Protocol):
    """An engine, and what to ask of it so that something serves, or ends."""

    engine: Engine

    def context(self, kind: str) -> bytes:
        """A build context for a container of that kind (`serves` or `fails`)."""

    def body(self, kind: str, labels: Mapping[str, str]) -> dict[str, Any]:
        """What to create from the image `contract:KIND`."""


def packed(files: Mapping[str, bytes | str], *, executable: Iterable[str] = ()) -> bytes:
    """A tar archive."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.mode = 0o755 if name in executable else 0o644
            tar.addfile(member, io.BytesIO(data))
    return archive.getvalue()


@dataclass
class OurWorld:
    """Processes."""

    engine: Engine
    folder: Path

    def context(self, kind: str) -> bytes:
        code = self.folder / kind
        code.mkdir(exist_ok=True)
        (code / "score.py").write_text(SCORE if kind == "serves" else BROKEN)
        return packed({"Dockerfile": DOCKERFILE, "conda.yml": CONDA})

    def body(self, kind: str, labels: Mapping[str, str]) -> dict[str, Any]:
        app = f"/var/azureml-app/{kind}/"
        return {
            "Image": f"contract:{kind}",
            "Labels": labels,
            "Tty": True,
            "Env": [f"AML_APP_ROOT={app}", "AZUREML_ENTRY_SCRIPT=score.py"],
            "HostConfig": {"PublishAllPorts": True, "Binds": [f"{self.folder / kind}:{app}"]},
        }


@dataclass
class RealWorld:
    """Containers."""

    engine: Engine

    def context(self, kind: str) -> bytes:
        command = ["/busybox", *(("httpd", "-f", "-p", "5001") if kind == "serves" else ("false",))]
        words = ", ".join(f'"{word}"' for word in command)
        lines = "FROM scratch\nCOPY busybox /busybox\nCOPY index.html /index.html\n"
        dockerfile = f"{lines}EXPOSE 5001\nCMD [{words}]\n"
        files: dict[str, bytes | str]
        files = {"Dockerfile": dockerfile, "index.html": "up\n", "busybox": busybox()}
        return packed(files, executable=["busybox"])

    def body(self, kind: str, labels: Mapping[str, str]) -> dict[str, Any]:
        return {
            "Image": f"contract:{kind}",
            "Labels": labels,
            "Tty": True,
            "StopTimeout": 1,  # its httpd does not heed SIGTERM
            "HostConfig": {"PublishAllPorts": True},
        }


@contextlib.contextmanager
def our_world() -> Iterator[World]:
    """In a home with a short path: a socket's may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="v") as text:
        settings = Settings.read({}, home=Path(text, "home"))
        places = start(settings)
        with Engine.at(places.docker_host) as engine:
            yield OurWorld(engine, Path(text))
        asyncio.run(stop_engine(settings.home))


@contextlib.contextmanager
def real_world() -> Iterator[World]:
    """Skips where there is none."""
    with real_engine() as engine:
        yield RealWorld(engine)
        for container in engine.containers(["contract"]):
            engine.remove(container.id)
        remove_images(engine, "contract:")


@contextlib.contextmanager
def real_engine() -> Iterator[Engine]:
    """Docker or podman. Skips where there is none, or nothing to make images of."""
    named = os.environ.get("VERDAZUL_TEST_DOCKER_HOST")
    with contextlib.ExitStack() as open_:
        for host in [named] if named else _USUAL:
            with contextlib.suppress(DockerEngineNotAvailable):
                engine = open_.enter_context(Engine.at(host))
                engine.version()
                busybox()
                yield engine
                return
        pytest.skip("no container engine on this machine (VERDAZUL_TEST_DOCKER_HOST names one)")


def remove_images(engine: Engine, prefix: str) -> None:
    """Leave no name behind on an engine that is somebody's. The command itself removes no image."""
    for image in engine._ask("GET", "/images/json").json():
        for name in image.get("RepoTags") or ():
            if name.rpartition("/")[2].startswith(prefix):
                with contextlib.suppress(VerdazulError):  # one that another is made from stays
                    engine._ask("DELETE", f"/images/{name}")


def busybox() -> bytes:
    """The one program of an image; it needs no library. Skips where there is none."""
    found = shutil.which("busybox")
    if not found:
        pytest.skip("no busybox to make images of (apt: busybox-static)")
    return Path(found).read_bytes()
