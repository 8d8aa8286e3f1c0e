"""Secret ids: as they are, or wrapped in a token that can be used once.

A wrapping token that is found used up was used by somebody. Who takes one off the wire and puts another in its place
is found by its creation path. https://developer.hashicorp.com/vault/docs/concepts/response-wrapping
"""

from __future__ import annotations

from typing import Any, Protocol

from rotator.adapters.clients.resolving import Resolve, resolved
from rotator.adapters.stores.vault.answers import Answer, Need, failure_of
from rotator.adapters.stores.vault.lease import Channel
from rotator.domain.failures import Denied, Transient
from rotator.domain.times import quoted


class SecretId(Protocol):
    """Where a secret id comes from. One thread at a time asks."""

    reference: str

    def text(self, channel: Channel) -> str:
        """The secret id. Raises Denied when it cannot be had."""
        ...

    @property
    def wanted(self) -> str:
        """What to put at the reference when the secret id is refused."""
        ...


class PlainSecretId:
    """The text at a reference, read anew for each login."""

    wanted = "a new secret id"

    def __init__(self, reference: str, resolve: Resolve) -> None:
        self.reference = reference
        self._resolve = resolve

    def text(self, channel: Channel) -> str:
        """As the protocol says."""
        return resolved(self._resolve, self.reference)


class WrappedSecretId:
    """A wrapping token at a reference: unwrapped once and then kept in memory, until another token is put there."""

    wanted = "a new wrapped secret id"

    def __init__(self, reference: str, mount: str, resolve: Resolve) -> None:
        """`mount`: the AppRole engine that must have made it."""
        self.reference = reference
        self._mount = mount
        self._resolve = resolve
        self._token = ""
        self._secret_id = ""
        self._unanswered = ""

    def text(self, channel: Channel) -> str:
        """As the protocol says. Two requests with a token that is new."""
        token = resolved(self._resolve, self.reference)
        if token == self._token:
            return self._secret_id
        self._made_by_our_role(token, channel)
        self._secret_id = self._unwrapped(token, channel)
        self._token = token
        return self._secret_id

    def _made_by_our_role(self, token: str, channel: Channel) -> None:
        need = Need("update", "sys/wrapping/lookup")
        answer = channel.send("", lambda http: http.post("/v1/sys/wrapping/lookup", json={"token": token}))
        if not answer.ok:
            raise self._refused(answer, token, need, channel)
        path = str(answer.data.get("creation_path", ""))
        if not path.startswith(f"auth/{self._mount}/role/") or not path.endswith("/secret-id"):
            what = f"what is at {self.reference} was wrapped by {quoted(path)}, not by our AppRole"
            raise _alarm(what, need, channel)

    def _unwrapped(self, token: str, channel: Channel) -> str:
        need = Need("update", "sys/wrapping/unwrap")
        try:
            answer = channel.send(token, _unwrap)
        except Transient:
            self._unanswered = token
            raise
        if not answer.ok:
            raise self._refused(answer, token, need, channel)
        found = answer.data.get("secret_id")
        if not isinstance(found, str) or not found:
            raise _alarm(f"what is wrapped at {self.reference} is no secret id", need, channel)
        return found

    def _refused(self, answer: Answer, token: str, need: Need, channel: Channel) -> Exception:
        if answer.status not in (400, 403) or answer.errors is None:
            return failure_of(answer, need, channel.where)
        if token == self._unanswered:
            hint = f"put a new wrapped secret id at {self.reference}"
            message = f"{channel.where} never answered when we unwrapped the secret id, and will not do it again"
            return Denied(message, hint, permission=str(need))
        return _alarm(f"the wrapped secret id at {self.reference} was unwrapped before, or is too old", need, channel)


def _alarm(what: str, need: Need, channel: Channel) -> Denied:
    message = f"{channel.where}: {what}: SOMEBODY ELSE MAY HAVE INTERCEPTED IT"
    hint = (
        "unless an earlier run of the rotator used it: destroy the role's secret ids, look in the audit log for who "
        "unwrapped it, then deliver a new one"
    )
    return Denied(message, hint, permission=str(need))


def _unwrap(http: Any) -> Any:
    return http.post("/v1/sys/wrapping/unwrap")
