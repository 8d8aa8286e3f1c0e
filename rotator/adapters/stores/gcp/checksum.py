"""CRC32C (Castagnoli), which Secret Manager takes and gives with every payload.

https://docs.cloud.google.com/secret-manager/docs/data-integrity. In pure Python, because `google-crc32c` is no
dependency of the SDK: 64 KiB, the most that a version holds, take some 10 ms.
"""

from __future__ import annotations

_REVERSED = 0x82F63B78


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_REVERSED if byte & 1 else 0)
    return byte


_TABLE = tuple(_entry(byte) for byte in range(256))


def crc32c(data: bytes) -> int:
    """The checksum as an unsigned number of 32 bits."""
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ _TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF
