"""Mean and spread of what is sent."""

import json
import statistics


def init():
    """Nothing to load."""


def run(raw_data):
    """`{"data": [1, 2, 3]}`"""
    numbers = json.loads(raw_data)["data"]
    return {"mean": statistics.fmean(numbers), "spread": statistics.pstdev(numbers)}
