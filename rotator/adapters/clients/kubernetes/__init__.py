"""A Kubernetes API server, without a client package: for the store of that name, and to tell consumers."""
