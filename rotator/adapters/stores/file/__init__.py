"""The `file` store: JSON, dotenv, or a file per field, beneath one directory of this machine."""

from rotator.adapters.stores.file.store import FileStore

__all__ = ["FileStore"]
