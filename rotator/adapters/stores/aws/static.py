"""Keys at references, read anew when AWS refuses them: somebody may have put new ones there."""

from __future__ import annotations

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.clients.resolving import Resolve, resolved
from rotator.adapters.stores.aws.access import Keys
from rotator.adapters.stores.aws.answers import Need, refused_keys
from rotator.domain.failures import Failure


class Static:
    """An access key that we are given; opens its references."""

    def __init__(self, key_id: str, secret: str, token: str | None, resolve: Resolve) -> None:
        """`secret` and `token` are references; `key_id` may be one, or the id itself, which is no secret."""
        self._key_id = key_id
        self._secret = secret
        self._token = token
        self._resolve = resolve

    def fetch(self, deadline: Deadline) -> Keys:
        """The texts at the references. Raises Denied when there are none."""
        key_id = resolved(self._resolve, self._key_id) if ":" in self._key_id else self._key_id
        token = resolved(self._resolve, self._token) if self._token is not None else None
        return Keys(key_id, resolved(self._resolve, self._secret), token)

    def refused(self, need: Need, where: str) -> Failure:
        """The key is wrong, inactive or deleted, or its session is over."""
        return refused_keys(need, where, f"put a valid key at {self._secret}, and its id into `access_key_id`")
