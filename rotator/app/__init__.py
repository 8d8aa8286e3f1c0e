"""Wiring: from a config to ports, and what commands do with them. Prints nothing."""
