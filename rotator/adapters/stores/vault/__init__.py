"""The `vault` store: KV version 2 of HashiCorp Vault or OpenBao."""

from rotator.adapters.stores.vault.store import VaultStore

__all__ = ["VaultStore"]
