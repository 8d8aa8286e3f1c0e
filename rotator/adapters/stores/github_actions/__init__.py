"""The `github_actions` store: secrets of repositories, environments and organisations. They cannot be read."""

from rotator.adapters.stores.github_actions.store import GithubActionsStore

__all__ = ["GithubActionsStore"]
