"""Whether a message about a leak is GitHub's: by its public key, or by a secret that both sides have.

Partner programme (docs.github.com, "Secret scanning partner program"): `Github-Public-Key-Identifier` names one of the
keys at the meta endpoint, `{"public_keys": [{"key_identifier", "key" (PEM), "is_current"}]}`;
`Github-Public-Key-Signature` is base64 of a DER signature, ECDSA P-256 over SHA-256 of the raw body. Webhooks of
repositories and organisations ("Validating webhook deliveries"): `X-Hub-Signature-256: sha256=<hex>`, HMAC-SHA256 of
the raw body under the webhook's secret.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from rotator.adapters.clients.content import content_of
from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.clients.fetching import fetched
from rotator.domain.failures import Failure, Transient

LARGEST_KEYS = 256 * 1024
"""Bytes of the list of keys."""
MOST_KEYS = 100
FRESH, NOT_AGAIN = 3600.0, 60.0
"""Seconds for which the list counts, and after which an identifier that is not in it may have it fetched again."""
TIMEOUT = timedelta(seconds=10)
_IDENTIFIER = re.compile(r"[0-9a-f]{40,64}")
_HEX = re.compile(r"sha256=[0-9a-f]{64}")
_LONGEST_SIGNATURE = 256


def is_hmac(body: bytes, header: str, secret: str) -> bool:
    """Whether `X-Hub-Signature-256` fits, compared in constant time. An empty secret fits nothing."""
    if not secret or not _HEX.fullmatch(header):
        return False
    wanted = "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()
    return hmac.compare_digest(wanted, header)


class PublicKeys:
    """The partner programme's keys, fetched from one address and kept for a while. Safe for many threads."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.url = url
        self._clock = clock
        self._keys: Mapping[str, bytes] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._lock = threading.Lock()

    def signed(self, body: bytes, identifier: str, signature: str) -> bool:
        """Whether one of the keys signed it. Raises `Transient` and what else fetching raises where there are none."""
        if not _IDENTIFIER.fullmatch(identifier) or len(signature) > _LONGEST_SIGNATURE:
            return False
        pem = self._key(identifier)
        if pem is None:
            return False
        try:
            return _verifies(pem, base64.b64decode(signature, validate=True), body)
        except (binascii.Error, ValueError):
            return False

    def _key(self, identifier: str) -> bytes | None:
        with self._lock:
            now = self._clock()
            old = self._fetched_at is None or now - self._fetched_at >= FRESH
            # Who makes identifiers up must not have GitHub asked with each of them.
            may = self._tried_at is None or now - self._tried_at >= NOT_AGAIN
            if (old or identifier not in self._keys) and may:
                self._tried_at = now
                try:
                    self._keys, self._fetched_at = _fetch(self.url), now
                except Failure:
                    if not self._keys:
                        raise
            if not self._keys:
                raise Transient("GitHub's public keys could not be had just now", "it is asked again in a minute")
            return self._keys.get(identifier)


def _fetch(url: str) -> dict[str, bytes]:
    deadline = Deadline(TIMEOUT)
    headers = {"Accept": "application/json"}
    with fetched(url, deadline, headers=headers) as answer:
        text = content_of(answer, deadline, "GitHub")
    keys = _keys_in(text[:LARGEST_KEYS])
    if not keys:
        raise Transient("the address of GitHub's public keys answers with none", "look at leaks.github.keys")
    return keys


def _keys_in(text: bytes) -> dict[str, bytes]:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    listed = found.get("public_keys") if isinstance(found, dict) else None
    keys: dict[str, bytes] = {}
    for each in listed[:MOST_KEYS] if isinstance(listed, list) else ():
        if isinstance(each, dict) and isinstance(each.get("key_identifier"), str) and isinstance(each.get("key"), str):
            keys[each["key_identifier"]] = each["key"].encode()
    return keys


def _verifies(pem: bytes, signature: bytes, body: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem)
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            return False
        key.verify(signature, body, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True
