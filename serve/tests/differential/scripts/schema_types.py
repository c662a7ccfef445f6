"""Every kind of parameter that inference-schema has, each of them optional; says what came."""
# mypy: ignore-errors

import datetime

import numpy as np
import pandas as pd
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.parameter_types.standard_py_parameter_type import (
    StandardPythonParameterType,
)
from inference_schema.schema_decorators import input_schema, output_schema

FRAME = pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5], "s": ["x", "y"]}, index=["r1", "r2"])
DATES = pd.DataFrame({"when": pd.to_datetime(["2026-01-02T03:04:05Z"]), "flag": [True]})
RECORD = np.array([(1, 2.5, "word")], dtype=[("i", "<i4"), ("f", "<f8"), ("s", "<U8")])

TYPES = {
    "an_int": StandardPythonParameterType(1),
    "a_float": StandardPythonParameterType(1.5),
    "a_str": StandardPythonParameterType("text"),
    "a_bool": StandardPythonParameterType(True),
    "some_bytes": StandardPythonParameterType(b"bytes"),
    "a_bytearray": StandardPythonParameterType(bytearray(b"bytes")),
    "a_datetime": StandardPythonParameterType(datetime.datetime(2026, 1, 2, 3, 4, 5)),
    "a_date": StandardPythonParameterType(datetime.date(2026, 1, 2)),
    "a_time": StandardPythonParameterType(datetime.time(3, 4, 5)),
    "a_list": StandardPythonParameterType([1, 2]),
    "a_tuple": StandardPythonParameterType((1, "a")),
    "a_range": StandardPythonParameterType(range(3)),
    "a_dict": StandardPythonParameterType({"k": 1, "l": [1.5]}),
    "nested_dict": StandardPythonParameterType(
        {"array": NumpyParameterType(np.array([1, 2])), "plain": 1}
    ),
    "nested_list": StandardPythonParameterType(
        [NumpyParameterType(np.array([1.0])), StandardPythonParameterType("a")]
    ),
    "array": NumpyParameterType(np.array([[1, 2], [3, 4]])),
    "float_array": NumpyParameterType(np.array([1.5, 2.5])),
    "free_array": NumpyParameterType(
        np.array([[1, 2]]), enforce_column_type=False, enforce_shape=False
    ),
    "str_array": NumpyParameterType(np.array(["a", "bc"])),
    "bool_array": NumpyParameterType(np.array([True, False])),
    "date_array": NumpyParameterType(np.array(["2026-01-02"], dtype="datetime64[D]")),
    "records_array": NumpyParameterType(RECORD),
    "frame": PandasParameterType(FRAME),
    "free_frame": PandasParameterType(FRAME, enforce_column_type=False, enforce_shape=False),
    "named_frame": PandasParameterType(FRAME, apply_column_names=True),
    "dates_frame": PandasParameterType(DATES),
    "split_frame": PandasParameterType(FRAME, orient="split"),
    "index_frame": PandasParameterType(FRAME, orient="index"),
    "columns_frame": PandasParameterType(FRAME, orient="columns"),
    "values_frame": PandasParameterType(FRAME, orient="values"),
    "table_frame": PandasParameterType(FRAME, orient="table"),
}


def told(value):
    kind = type(value).__name__
    if isinstance(value, pd.DataFrame):
        types = [str(kind) for kind in value.dtypes]
        return [kind, list(map(str, value.columns)), list(map(str, value.index)), types, str(value)]
    if isinstance(value, np.ndarray):
        return [kind, str(value.dtype), value.shape, repr(value.tolist())]
    if isinstance(value, dict):
        return [kind, {name: told(item) for name, item in value.items()}]
    if isinstance(value, list):
        return [kind, [told(item) for item in value]]
    return [kind, repr(value)]


def init():
    pass


@output_schema(NumpyParameterType(np.array([1.5])))
def run(
    an_int=None,
    a_float=None,
    a_str=None,
    a_bool=None,
    some_bytes=None,
    a_bytearray=None,
    a_datetime=None,
    a_date=None,
    a_time=None,
    a_list=None,
    a_tuple=None,
    a_range=None,
    a_dict=None,
    nested_dict=None,
    nested_list=None,
    array=None,
    float_array=None,
    free_array=None,
    str_array=None,
    bool_array=None,
    date_array=None,
    records_array=None,
    frame=None,
    free_frame=None,
    named_frame=None,
    dates_frame=None,
    split_frame=None,
    index_frame=None,
    columns_frame=None,
    values_frame=None,
    table_frame=None,
):
    return {name: told(value) for name, value in locals().items() if value is not None}


for name, kind in TYPES.items():
    run = input_schema(name, kind, optional=True)(run)
