"""Tests; a package, so that `python -m tests.bench` and the test servers can be imported by name."""
