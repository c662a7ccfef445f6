"""What azureml-ai-monitoring sends, written by hand."""

from __future__ import annotations

from pathlib import Path

INSTANCE = "credit.blue.3f2a-0"
INPUTS = b'[{"a":1,"s":"x"},{"a":2,"s":null}]'
SENT = {
    "Content-Type": "application/json",
    "trace-id": "5c4f2c5e-0f7b-4a0e-9a35-6a1b0a0f1c2d",
    "ce-time": "1795636233",
    "ce-type": "azureml.inference.model_inputs",
    "ce-collect-data-type": "pandas.DataFrame",
    "ce-agent": "azureml-ai-monitoring/1.0.0",
    "ce-x-request-id": "request 1",
    "ce-model-version": "default",
    "ce-tenant": "north",
}
HEAD = "POST /modeldata/log HTTP/1.1\r\n" + "".join(f"{name}: {SENT[name]}\r\n" for name in SENT)


def whole(body: bytes) -> bytes:
    """A complete post."""
    return f"{HEAD}content-length: {len(body)}\r\n\r\n".encode() + body


def files(folder: Path) -> dict[str, bytes]:
    """Every file below, by its path from there."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}
