"""The traffic log: one JSON row for each request to an endpoint, with Azure's column names.

Envoy writes rows to its stdout, where the shim around it keeps them in files that are bounded also
while the control plane is down. Credentials are in no column: filter.lua notes the path without its
query.
Source of the columns: AmlOnlineEndpointTrafficLog of Azure Monitor; `InstanceAddress`,
`CallerAddress` and `Flags` (Envoy's response flags) are ours.
"""

from __future__ import annotations

from verdazul.gateway.resources import DEPLOYMENT_HEADER, REASON_HEADER, Json

STATUS_HEADER = "ms-azureml-model-error-statuscode"
_TYPE = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"

COLUMNS = {
    "TimeGenerated": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
    "EndpointName": "%DYNAMIC_METADATA(verdazul:endpoint)%",
    "DeploymentName": f"%RESP({DEPLOYMENT_HEADER})%",
    "Method": "%REQ(:METHOD)%",
    "Path": "%DYNAMIC_METADATA(verdazul:path)%",
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
    "XMSClientRequestId": "%DYNAMIC_METADATA(verdazul:client_request_id)%",
    "InstanceAddress": "%UPSTREAM_HOST%",
    "CallerAddress": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
}


def traffic_log(of_endpoint: Json) -> Json:
    """Envoy's access logger; `of_endpoint` is the filter that knows requests to endpoints."""
    return {
        "name": "envoy.access_loggers.stdout",
        "filter": of_endpoint,
        "typed_config": {"@type": _TYPE, "log_format": {"json_format": COLUMNS}},
    }
