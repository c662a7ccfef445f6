"""The in-instance inference server: runs a scoring script behind HTTP.

For scoring scripts: `from verdazul_serve import batch` (see batching.py).
"""

from verdazul_serve.batching import batch

__all__ = ["batch"]
__version__ = "0.1.0"
