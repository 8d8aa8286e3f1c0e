"""The `gitlab_ci` store: CI/CD variables of projects and groups, treated as what cannot be read."""

from rotator.adapters.stores.gitlab_ci.store import GitlabCiStore

__all__ = ["GitlabCiStore"]
