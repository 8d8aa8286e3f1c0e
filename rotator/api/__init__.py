"""The HTTP API of the daemon. Whatever it imports beside our own is in the extra `daemon`."""
