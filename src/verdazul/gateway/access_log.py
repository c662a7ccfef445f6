"""The traffic log: one JSON row for each request to an endpoint, with Azure's column names.

Envoy writes rows to its stdout, where the shim around it keeps them in files that are bounded also
while the control plane is down. Credentials are in no column: the path is the one that headers.py
notes, without its query.
Source of the columns: AmlOnlineEndpointTrafficLog of Azure Monitor; `InstanceAddress`,
`CallerAddress` and `Flags` (Envoy's response flags) are ours.
"""

from __future__ import annotations

from typing import Any

from verdazul.gateway.headers import (
    CLIENT_ID_HEADER,
    DEPLOYMENT_HEADER,
    PATH_HEADER,
    REASON_HEADER,
    STATUS_HEADER,
)

Json = dict[str, Any]

_TYPE = "type.googleapis.com/envoy.extensions."

COLUMNS = {
    "TimeGenerated": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
    "EndpointName": "%METADATA(ROUTE:verdazul:endpoint)%",
    "DeploymentName": f"%RESP({DEPLOYMENT_HEADER})%",
    "Method": "%REQ(:METHOD)%",
    "Path": f"%REQ({PATH_HEADER})%",
    "Protocol": "%PROTOCOL%",
    "ResponseCode": "%RESPONSE_CODE%",
    "ResponseCodeReason": "%RESPONSE_CODE_DETAILS%",
    "Flags": "%RESPONSE_FLAGS%",
    "ModelStatusCode": f"%RESP({STATUS_HEADER})%",
    "ModelStatusReason": f"%RESP({REASON_HEADER})%",
    "RequestPayloadSize": "%BYTES_RECEIVED%",
    "ResponsePayloadSize": "%BYTES_SENT%",
    "TotalDurationMs": "%DURATION%",
    "RequestDurationMs": "%REQUEST_DURATION%",
    "ResponseDurationMs": "%RESPONSE_DURATION%",
    "UserAgent": "%REQ(USER-AGENT):70%",
    "XRequestId": "%REQ(X-REQUEST-ID)%",
    "XMSClientRequestId": f"%REQ({CLIENT_ID_HEADER})%",
    "InstanceAddress": "%UPSTREAM_HOST%",
    "CallerAddress": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
}


def traffic_log(of_endpoint: Json) -> Json:
    """Envoy's access logger; `of_endpoint` is the filter that knows requests to endpoints."""
    return {
        "name": "envoy.access_loggers.stdout",
        "filter": of_endpoint,
        "typed_config": {
            "@type": _TYPE + "access_loggers.stream.v3.StdoutAccessLog",
            "log_format": {"json_format": COLUMNS},
        },
    }
