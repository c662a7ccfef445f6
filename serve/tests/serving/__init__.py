"""Tests of verdazul-serve; most talk to a real server process over a unix socket."""
