"""The `kubernetes` store: Secrets of a cluster."""

from rotator.adapters.stores.kubernetes.store import KubernetesStore

__all__ = ["KubernetesStore"]
