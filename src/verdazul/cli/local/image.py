"""From a deployment to what a container engine is asked for: a Dockerfile, variables and mounts.

All of it as Azure's SDK does it, so that a deployment is the same whichever of them made it.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from verdazul.cli.local import places
from verdazul.model.assets import InlineEnvironment, InlineModel
from verdazul.model.collect import DataCollector
from verdazul.model.deployment import DeploymentSpec
from verdazul.model.errors import UserError

APP = "/var/azureml-app/"
DEBUG_PORT = "AZUREML_DEBUG_PORT"
_ENVIRONMENT = "inf-conda-env"
_CONDA = "conda.yml"
_DOCKERFILE = ".verdazul.Dockerfile"
_COLLECTOR = "/etc/mdc-config.json"
_PAYLOADS = frozenset(("request", "response"))
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What one deployment needs. `dockerfile` is "" for an image of one's own."""

    spec: DeploymentSpec
    image: str
    port: str
    dockerfile: str
    env: Mapping[str, str]
    binds: Mapping[str, str]  # by where they are on this machine
    context: Path | None = field(default=None)  # a folder with a Dockerfile of one's own

    @property
    def folder(self) -> Path:
        return places.folder(self.spec.endpoint_name, self.spec.name)

    def write(self) -> None:
        """Keep the files that the image is made from where Azure's clients keep them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, text in self._files().items():
            (self.folder / name).write_text(text, encoding="utf-8")

    def archive(self) -> Iterator[bytes]:
        """The build context, and the Dockerfile in it."""
        import tempfile

        with tempfile.TemporaryFile() as file:
            with tarfile.open(fileobj=file, mode="w") as tar:
                if self.context:
                    tar.add(self.context, arcname=".")
                for name, text in {**self._files(), _DOCKERFILE: self.dockerfile}.items():
                    _add(tar, name, text)
            file.seek(0)
            while part := file.read(_CHUNK):
                yield part

    @property
    def dockerfile_name(self) -> str:
        return _DOCKERFILE

    def body(self, labels: Mapping[str, str], *, devices: list[dict[str, Any]]) -> dict[str, Any]:
        """The container to create."""
        return {
            "Image": self.image,
            "Labels": dict(labels),
            "Tty": True,
            "Env": [f"{name}={value}" for name, value in self.env.items()],
            "HostConfig": {
                "PublishAllPorts": True,
                # z: readable for containers where SELinux rules, too
                "Binds": [f"{here}:{there}:z" for here, there in self.binds.items()],
                **({"DeviceRequests": devices} if devices else {}),
            },
            # an own image may not say which ports it serves on
            "ExposedPorts": {f"{port}/tcp": {} for port in self._ports()},
        }

    def _ports(self) -> set[str]:
        """Where it is called, and where it says that it is ready."""
        environment = self.spec.environment
        own = environment.inference_config if isinstance(environment, InlineEnvironment) else None
        return {self.port, str(own.readiness_route.port)} if own else {self.port}

    def _files(self) -> dict[str, str]:
        environment, collector = self.spec.environment, _collector(self.spec.data_collector)
        conda = environment.conda_text if isinstance(environment, InlineEnvironment) else None
        found = {"Dockerfile": self.dockerfile, _CONDA: conda, "mdc-config.json": collector}
        return {name: text for name, text in found.items() if text}


def plan(spec: DeploymentSpec, *, debug_port: int | None = None) -> Plan:
    """What a deployment, all of whose parts are on this machine, needs. Raises UserError."""
    environment = spec.environment
    if not isinstance(environment, InlineEnvironment):
        raise _required(spec, "environment")
    env, binds = _code(spec)
    _model(spec, env, binds)
    env.update(spec.environment_variables)
    folder = places.folder(spec.endpoint_name, spec.name)
    if _collector(spec.data_collector):
        env["AZUREML_MDC_CONFIG_PATH"] = _COLLECTOR
        binds[str(folder / "mdc-config.json")] = _COLLECTOR
    if debug_port:
        env[DEBUG_PORT] = str(debug_port)
    own = environment.inference_config
    is_prebuilt = bool(own and environment.image)
    tag = f"{spec.endpoint_name}:{spec.name}".lower()  # engines take no capitals there
    return Plan(
        spec=spec,
        image=str(environment.image) if is_prebuilt else tag,
        port=str(own.scoring_route.port) if own else "5001",
        dockerfile="" if is_prebuilt else _dockerfile(environment, is_debugged=bool(debug_port)),
        env=env,
        binds=binds,
        context=Path(environment.build.path) if environment.build else None,
    )


def without_effect(spec: DeploymentSpec) -> list[str]:
    """Keys that were written and mean nothing locally, as in Azure."""
    keys = (
        *("instance_count", "scale_settings", "request_settings", "liveness_probe"),
        *("readiness_probe", "app_insights_enabled", "egress_public_network_access"),
        *("private_network_connection", "resources"),
    )
    usual = type(spec).model_fields
    found = [
        key
        for key in keys
        if getattr(spec, key) != usual[key].get_default(call_default_factory=True)
    ]
    if spec.data_collector and not _collector(spec.data_collector):
        found.append("data_collector (of request and response)")
    return found


def _code(spec: DeploymentSpec) -> tuple[dict[str, str], dict[str, str]]:
    env = {"AZUREML_INFERENCE_PYTHON_PATH": f"/opt/miniconda/envs/{_ENVIRONMENT}/bin"}
    code = spec.code_configuration
    if code is None:
        return env, {}
    script = PurePosixPath(code.scoring_script)
    mounted = f"{APP}{Path(code.code).name}/"
    root = mounted if script.parent == PurePosixPath() else f"{mounted}{script.parent}"
    named = {"AML_APP_ROOT": root, "AZUREML_ENTRY_SCRIPT": script.name}
    return {**env, **named}, {code.code: mounted}


def _model(spec: DeploymentSpec, env: dict[str, str], binds: dict[str, str]) -> None:
    """The folder that the model lies in is mounted, as in Azure."""
    model = spec.model
    if not isinstance(model, InlineModel):
        return
    named = f"{model.name}/{model.version or 1}" if model.name else "model/1"
    mounted = f"{APP}azureml-models/{named}"
    env["AZUREML_MODEL_DIR"] = mounted
    binds[str(Path(model.path).parent)] = mounted


def _dockerfile(environment: InlineEnvironment, *, is_debugged: bool) -> str:
    run = f"conda run -n {_ENVIRONMENT} " if environment.conda_text else ""
    server = ["runsvdir", "/var/runit"]
    if environment.conda_text:
        server = ["conda", "run", "--no-capture-output", "-n", _ENVIRONMENT, *server]
    lines = [_ground(environment), f"RUN mkdir -p {APP}", f"WORKDIR {APP}"]
    if environment.conda_text:
        lines.append(f"COPY {_CONDA} {APP}")
        lines.append(f"RUN conda env create -n {_ENVIRONMENT} --file {_CONDA}")
    if is_debugged:
        lines.append(f"RUN {run}pip install debugpy")
    return "\n".join([*lines, f"CMD {json.dumps(server)}", ""])


def _ground(environment: InlineEnvironment) -> str:
    if environment.image:
        return f"FROM {environment.image}"
    build = environment.build
    file = Path(build.path, build.dockerfile_path) if build else Path()
    try:
        return file.read_text(encoding="utf-8").rstrip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"environment.build: {file} cannot be read: {error}", code="InvalidValue"
        ) from None


def _collector(collector: DataCollector | None) -> str:
    """The server's configuration; "" when a script's own collections are not among them."""
    enabled = [name for name, each in (collector.collections if collector else {}).items()
               if each.enabled]  # fmt: skip
    if collector is None or not set(map(str.lower, enabled)) - _PAYLOADS:
        return ""
    percent = int(collector.sampling_rate * 100)
    told: dict[str, Any] = {
        "collections": {
            name.lower(): {"enabled": True, "sampling_percentage": percent} for name in enabled
        },
        "runMode": "local",
    }
    headers = collector.request_logging.capture_headers
    return json.dumps({**told, "captureHeaders": list(headers)} if headers else told)


def _required(spec: DeploymentSpec, artifact: str) -> UserError:
    return UserError(
        "Local endpoints only support local artifacts. 'Local deployment "
        f"({spec.endpoint_name} / {spec.name})' did not contain required local artifact "
        f"'{artifact}'",
        code="RequiredLocalArtifactsNotFound",
        fix="add `environment:` with `image:` and `conda_file:`",
    )


def _add(tar: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode()
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
