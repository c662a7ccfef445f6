"""Sends its input, a list of records, to the data collector, as the input says."""
# mypy: ignore-errors

import json

import pandas as pd
from azureml.ai.monitoring import Collector
from azureml.ai.monitoring.context import BasicCorrelationContext


def init():
    global inputs, outputs, errors
    errors = []
    inputs = Collector(name="model_inputs", on_error=lambda error: errors.append(str(error)))
    outputs = Collector(name="model_outputs", on_error=lambda error: errors.append(str(error)))


def run(data, request_headers):
    order = json.loads(data)
    context = BasicCorrelationContext(id=request_headers.get("X-Request-Id", "none given"))
    if order.get("wrong"):
        inputs.collect(order["wrong"], context)
        return errors
    context = inputs.collect(pd.DataFrame(order["rows"]), context)
    outputs.collect(pd.DataFrame([{"rows": len(order["rows"])}]), context)
    return [context.get_id(), errors]
