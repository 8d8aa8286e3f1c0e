"""The `gcp` store: Google Cloud Secret Manager."""

from rotator.adapters.stores.gcp.store import GcpStore

__all__ = ["GcpStore"]
