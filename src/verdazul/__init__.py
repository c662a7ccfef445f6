"""Verdazul: Azure Machine Learning's online endpoints on your own machines."""

__version__ = "0.1.0"
