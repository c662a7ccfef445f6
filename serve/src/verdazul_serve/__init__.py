"""The in-instance inference server: runs a scoring script behind HTTP."""

__version__ = "0.1.0"
