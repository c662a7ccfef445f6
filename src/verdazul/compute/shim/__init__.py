"""The parent of one process: outlives the control plane, writes its log, says how it ended.

Standard library and light modules only: a shim must start in milliseconds and stay small, since
every instance has one. Nothing else of verdazul may be imported here, nor code put into this file.
`__main__` is where it starts, `supervisor` is its life; the rest is what that life needs.
"""
