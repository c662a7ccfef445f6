"""One required number, one parameter with a default, and the headers."""
# mypy: ignore-errors

from inference_schema.parameter_types.standard_py_parameter_type import (
    StandardPythonParameterType,
)
from inference_schema.schema_decorators import input_schema, output_schema


def init():
    pass


@input_schema("num", StandardPythonParameterType(1))
@input_schema("name", StandardPythonParameterType("x"), optional=True)
@output_schema(StandardPythonParameterType({"result": 1}))
def run(num, name="nobody", request_headers=None):
    return {"result": num, "name": name, "one": request_headers.get("X-One")}
