"""The `rest` store: any API that takes a value by name and gives none back, described in the config."""

from rotator.adapters.stores.rest.store import RestStore

__all__ = ["RestStore"]
