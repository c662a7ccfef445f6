"""A scoring script as Azure wants it: init() once, run() for each request."""

import json
import os

import joblib
import numpy

model = None


def init():
    global model
    folder = os.environ["AZUREML_MODEL_DIR"]
    name = os.environ["MODEL_FILE"]
    for parent, _, files in os.walk(folder):
        if name in files:
            model = joblib.load(os.path.join(parent, name))
            return
    raise FileNotFoundError(f"{name} is not below {folder}")


def run(raw_data):
    rows = numpy.array(json.loads(raw_data)["data"])
    return {"malignant": [int(answer) for answer in model.predict(rows)]}
