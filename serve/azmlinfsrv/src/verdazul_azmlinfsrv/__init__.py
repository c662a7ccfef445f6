"""The command `azmlinfsrv`; a distribution of its own, so that it can be left out."""

__version__ = "0.1.0"
