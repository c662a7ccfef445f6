"""Application Insights: an extra, over OpenTelemetry and Azure's exporter, imported when it is on.

    pip install 'verdazul-serve[appinsights]'

Open it in the process that tells something, after any fork: it has threads. What is told is sent in
batches by those; nothing here waits, raises or fails a request. `close` sends the rest, for a few
seconds at most. A process without it imports nothing of it.
"""

from __future__ import annotations

import importlib
import inspect
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

from verdazul_serve import telemetry_fields as fields
from verdazul_serve import trace
from verdazul_serve.logs import server as log
from verdazul_serve.reading import Request
from verdazul_serve.settings import Settings
from verdazul_serve.telemetry_fields import Ids

_SEND_SECONDS = 5.0
_BATCH = 100
_CLOSE_SECONDS = 4.0  # less than the parent leaves to a worker that ends
_FAILED = 400
_NANO = 1_000_000_000
# The exporter reports its own use to its makers, and asks them for settings, unless told not to.
_QUIET = (
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
)


def open_telemetry(
    settings: Settings, environ: MutableMapping[str, str] = os.environ
) -> Telemetry | None:
    """None when it is off, and, with a warning, when it cannot be had."""
    if not settings.app_insights_enabled:
        return None
    connection = connection_string(settings.app_insights_key, environ)
    if connection is None:
        log.warning("Invalid Application Insights instrumentation key provided.")
        log.warning("Application Insights has been disabled.")
        return None
    for name in _QUIET:
        environ.setdefault(name, "true")
    try:
        return Telemetry(settings, Pipeline(settings, connection))
    except ImportError as error:
        fix = "pip install 'verdazul-serve[appinsights]'"
        log.warning("Application Insights has been disabled: %s; to have it, %s", error, fix)
    except Exception as error:  # noqa: BLE001  # scoring matters more
        log.warning("Application Insights has been disabled: %r", error)
    return None


def connection_string(key: str | None, environ: Mapping[str, str]) -> str | None:
    """The environment's, when it names a key and so says where to send; None for no valid key."""
    given = environ.get("APPLICATIONINSIGHTS_CONNECTION_STRING", "")
    try:
        own = f"InstrumentationKey={uuid.UUID(key)}"
    except (TypeError, ValueError):
        return None
    return given if "instrumentationkey=" in given.lower() else own


class Telemetry:
    """Tells of requests, failures, collected data and prints; `ids` are the response's headers."""

    def __init__(self, settings: Settings, pipeline: Pipeline) -> None:
        self._settings = settings
        self._pipeline = pipeline
        self._models = fields.models(settings.model_dir)

    def requested(
        self,
        request: Request,
        status: int,
        body: bytes | None,
        *,
        started: float,
        seconds: float,
        ids: Ids,
    ) -> None:
        """`body` is None for a stream, `started` in seconds since 1970."""
        if not fields.is_told(request):
            return
        with _harmless():
            shows = self._settings.app_insights_log_response
            answer = fields.text(body) if shows else None
            took = (started, seconds)
            self._pipeline.span(
                fields.path(request),
                fields.of_request(self._settings, request, status, answer, took=took, ids=ids),
                http=(request.method, status),
                times=(started, started + seconds),
                traceparent=request.header("traceparent"),
            )

    def failed(self, reason: BaseException, ids: Ids, *, traceparent: str | None = None) -> None:
        """`run()` raised or took too long; with no ids: `init()`."""
        with _harmless():
            kind = type(reason).__name__
            attributes = {
                **fields.of_failure(self._settings, ids),
                "exception.type": kind,
                "exception.message": str(reason),
                "exception.stacktrace": "\n".join(trace.lines(reason)),
            }
            text = f"{kind}: {reason}"
            self._pipeline.log("trace", text, attributes, level="ERROR", traceparent=traceparent)

    def collected(
        self, given: Any, prediction: Any, ids: Ids, *, traceparent: str | None = None
    ) -> None:
        """What `run()` was given and what it returned, if that is wanted."""
        if not self._settings.model_dc_storage_enabled:
            return
        with _harmless():
            attributes = fields.of_collection(
                self._settings, ids, models=self._models, given=given, prediction=prediction
            )
            self._pipeline.log(
                "trace", "model_data_collection", attributes, traceparent=traceparent
            )

    def printed(self, text: str) -> None:
        """The script printed it."""
        with _harmless():
            self._pipeline.log("print", text, {})

    def close(self, *, seconds: float = _CLOSE_SECONDS) -> None:
        """Send what is left; give up after `seconds`."""
        closing = [
            threading.Thread(target=close, name="telemetry-close", daemon=True)
            for close in self._pipeline.closers
        ]
        deadline = time.monotonic() + seconds
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join(max(0.0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in closing):
            log.warning("Application Insights: not all was sent within %g s", seconds)


class Pipeline:
    """OpenTelemetry's parts, wired. Raises ImportError where they are missing."""

    def __init__(self, settings: Settings, connection: str) -> None:
        azure = importlib.import_module("azure.monitor.opentelemetry.exporter")
        resources = importlib.import_module("opentelemetry.sdk.resources")
        self._resource = resources.Resource.create({"service.name": settings.service_name})
        spans = self._open_spans(azure.AzureMonitorTraceExporter(connection_string=connection))
        logs = self._open_logs(azure.AzureMonitorLogExporter(connection_string=connection))
        self.closers: tuple[Callable[[], object], ...] = (spans.shutdown, logs.shutdown)

    def span(
        self,
        name: str,
        attributes: Mapping[str, str | bool],
        *,
        http: tuple[str, int],
        times: tuple[float, float],
        traceparent: str | None,
    ) -> None:
        """`http`, method and status, become Application Insights' own fields."""
        method, status = http
        own = {"http.request.method": method, "http.response.status_code": status}
        span = self._tracer.start_span(
            name,
            context=self._context(traceparent),
            kind=self._api.SpanKind.SERVER,
            attributes={**attributes, **own},
            start_time=int(times[0] * _NANO),
        )
        if status >= _FAILED:
            span.set_status(self._api.StatusCode.ERROR)
        span.end(int(times[1] * _NANO))

    def log(
        self,
        logger: str,
        text: str,
        attributes: Mapping[str, str],
        *,
        level: str = "INFO",
        traceparent: str | None = None,
    ) -> None:
        now = time.time_ns()
        record = {
            "timestamp": now,
            "observed_timestamp": now,
            "severity_text": level,
            "severity_number": self._severity[level],
            "body": text,
            "attributes": attributes,
        }
        context = self._context(traceparent)
        self._logs.get_logger(f"azmlinfsrv.{logger}").emit(self._record(record, context))

    def _open_spans(self, exporter: Any) -> Any:
        self._api = importlib.import_module("opentelemetry.trace")
        sdk = importlib.import_module("opentelemetry.sdk.trace")
        export = importlib.import_module("opentelemetry.sdk.trace.export")
        sampling = importlib.import_module("opentelemetry.sdk.trace.sampling")
        provider = sdk.TracerProvider(
            sampler=sampling.ALWAYS_ON, resource=self._resource, shutdown_on_exit=False
        )
        processor = export.BatchSpanProcessor(
            exporter, schedule_delay_millis=_SEND_SECONDS * 1000, max_export_batch_size=_BATCH
        )
        provider.add_span_processor(processor)
        if isinstance(self._api.get_tracer_provider(), self._api.ProxyTracerProvider):
            self._api.set_tracer_provider(provider)  # the script's own spans go the same way
        self._tracer = provider.get_tracer(__name__)
        propagation = importlib.import_module("opentelemetry.trace.propagation.tracecontext")
        self._extract = propagation.TraceContextTextMapPropagator().extract
        return provider

    def _open_logs(self, exporter: Any) -> Any:
        api = importlib.import_module("opentelemetry._logs")
        sdk = importlib.import_module("opentelemetry.sdk._logs")
        export = importlib.import_module("opentelemetry.sdk._logs.export")
        self._logs = sdk.LoggerProvider(resource=self._resource, shutdown_on_exit=False)
        processor = export.BatchLogRecordProcessor(
            exporter, schedule_delay_millis=_SEND_SECONDS * 1000, max_export_batch_size=_BATCH
        )
        self._logs.add_log_record_processor(processor)
        self._severity = api.SeverityNumber.__members__
        self._record_type = getattr(sdk, "LogRecord", None) or api.LogRecord
        self._record_takes = inspect.signature(self._record_type.__init__).parameters
        return self._logs

    def _context(self, traceparent: str | None) -> Any:
        """The caller's trace, where there is one."""
        return self._extract({"traceparent": traceparent} if traceparent else {})

    def _record(self, record: dict[str, Any], context: Any) -> Any:
        """Until 1.38 the SDK had a record of its own, which knew its resource."""
        if "resource" in self._record_takes:
            record["resource"] = self._resource
        if "context" in self._record_takes:
            return self._record_type(context=context, **record)
        span = self._api.get_current_span(context).get_span_context()
        ids = {"trace_id": span.trace_id, "span_id": span.span_id, "trace_flags": span.trace_flags}
        return self._record_type(**ids, **record)


@contextmanager
def _harmless() -> Iterator[None]:
    """Telemetry that fails is said, and no more."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # scoring matters more
        log.warning("Application Insights: %r", error)
