"""What runs in a driver's own process: it gives up what it does not need, and then serves one driver over a pipe.

Until it is confined it imports the standard library and this package only. See docs/isolation.md.
"""
