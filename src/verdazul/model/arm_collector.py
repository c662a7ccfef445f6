"""The data collector on the wire: one sampling rate for each collection there, one for all here."""

from __future__ import annotations

from collections.abc import Mapping

from verdazul.model.collect import RollingRate
from verdazul.model.declared import read_mapping
from verdazul.model.wire import Codec, Wrong, words

_COLLECTOR_KEYS = frozenset({"collections", "rollingRate", "requestLogging"})
_COLLECTION_KEYS = frozenset({"dataCollectionMode", "samplingRate", "dataId", "clientId"})
_ROLLING = words(RollingRate)


def _write_collector(value: object) -> object:
    found = read_mapping(value)
    collections = {
        name: _write_collection(read_mapping(each), found["sampling_rate"])
        for name, each in read_mapping(found["collections"]).items()
    }
    headers = read_mapping(found["request_logging"])["capture_headers"]
    return {
        "collections": collections,
        "rollingRate": _ROLLING.write(found["rolling_rate"]),
        "requestLogging": {"captureHeaders": headers},
    }


def _write_collection(collection: Mapping[str, object], rate: object) -> dict[str, object]:
    data = collection.get("data")
    if isinstance(data, Mapping):
        raise ValueError("collected data has to be registered before it has an ARM body")  # noqa: TRY004 - a value that is not ready, not a wrong type
    written = {
        "dataCollectionMode": "Enabled" if collection["enabled"] else "Disabled",
        "samplingRate": rate,
        "dataId": data,
        "clientId": collection.get("client_id"),
    }
    return {name: item for name, item in written.items() if item is not None}


def _read_collector(value: object) -> object:
    found = _object(value, _COLLECTOR_KEYS, "collections, rollingRate and requestLogging")
    collections = found.get("collections") or {}
    if not isinstance(collections, Mapping):
        raise Wrong("an object whose `collections` is an object")
    inner = {
        name: _object(each, _COLLECTION_KEYS, "dataCollectionMode, samplingRate, dataId")
        for name, each in collections.items()
    }
    rates = {
        repr(each.get("samplingRate") or 1.0): each.get("samplingRate") for each in inner.values()
    }
    if len(rates) > 1:
        raise Wrong("a collector with one samplingRate for all collections")
    read_back: dict[str, object] = {
        "collections": {name: _read_collection(each) for name, each in inner.items()}
    }
    rate = next(iter(rates.values()), None)
    if rate is not None:
        read_back["sampling_rate"] = rate
    if found.get("rollingRate") is not None:
        read_back["rolling_rate"] = _ROLLING.read(found["rollingRate"])
    if found.get("requestLogging") is not None:
        logging = _object(found["requestLogging"], frozenset({"captureHeaders"}), "captureHeaders")
        read_back["request_logging"] = {"capture_headers": logging.get("captureHeaders") or []}
    return read_back


def _read_collection(each: Mapping[str, object]) -> dict[str, object]:
    mode = str(each.get("dataCollectionMode") or "disabled").lower()
    if mode not in ("enabled", "disabled"):
        raise Wrong("a collector whose dataCollectionMode is Enabled or Disabled")
    found = {
        "enabled": mode == "enabled",
        "data": each.get("dataId"),
        "client_id": each.get("clientId"),
    }
    if not all(isinstance(each.get(key, ""), str | None) for key in ("dataId", "clientId")):
        raise Wrong("a collector whose dataId and clientId are texts")
    return {name: value for name, value in found.items() if value is not None}


def _object(value: object, keys: frozenset[str], rule: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping) or not set(value) <= keys:
        raise Wrong(f"an object with {rule} only")
    return value


_SCHEMA = {
    "type": "object",
    "required": ["collections"],
    "additionalProperties": False,
    "properties": {
        "collections": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "dataCollectionMode": {"type": "string", "enum": ["Enabled", "Disabled"]},
                    "samplingRate": {"type": "number", "minimum": 0, "maximum": 1},
                    "dataId": {"type": "string"},
                    "clientId": {"type": "string"},
                },
            },
        },
        "rollingRate": _ROLLING.schema,
        "requestLogging": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"captureHeaders": {"type": "array", "items": {"type": "string"}}},
        },
    },
}
COLLECTOR = Codec(_write_collector, _read_collector, _SCHEMA)
