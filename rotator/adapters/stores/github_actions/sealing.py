"""A value sealed so that only the holder of the private key can read it: libsodium's sealed box."""

from __future__ import annotations

from base64 import b64decode, b64encode

from rotator.domain.failures import Transient


def sealed(public_key: str, text: str) -> str:
    """The text under a public key in Base64, as Base64. Twice: another box of the same text.

    As in https://docs.github.com/en/rest/guides/encrypting-secrets-for-the-rest-api.
    """
    from nacl.exceptions import CryptoError
    from nacl.public import PublicKey, SealedBox

    try:
        key = PublicKey(b64decode(public_key, validate=True))
    except (ValueError, TypeError, CryptoError):
        pass  # raised below: beneath this handler the error would carry what was read as its context
    else:
        return b64encode(SealedBox(key).encrypt(text.encode())).decode()
    raise Transient("the public key that GitHub gave is none", "look at what is in between")
