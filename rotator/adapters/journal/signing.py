"""Ed25519 signatures of checkpoints. `cryptography` is imported when the first one is made or checked."""

from __future__ import annotations


class Ed25519Signer:
    """Signs with a private key of 32 bytes. Raises `ValueError` for another length."""

    def __init__(self, private_key: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._key = Ed25519PrivateKey.from_private_bytes(private_key)
        self.public_key: bytes = self._key.public_key().public_bytes_raw()
        """32 bytes, no secret: what `verify_log` asks for."""

    def sign(self, message: bytes) -> bytes:
        """64 bytes. Twice: the same."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"Ed25519Signer(public_key={self.public_key.hex()})"


def verifies(public_key: bytes, message: bytes, signature: str) -> bool:
    """Whether the hexadecimal signature was made over the message with the private key of this public one."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True
