"""What every answer says to browsers, refusals too: that nothing is kept, guessed, framed, or loaded from elsewhere."""

from __future__ import annotations

Headers = tuple[tuple[bytes, bytes], ...]

_ALL: Headers = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_OF_API: Headers = (
    *_ALL,
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
_SOURCES = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'"
_OF_PAGES: Headers = (
    *_ALL,
    (
        b"content-security-policy",
        f"{_SOURCES}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'".encode(),
    ),
    (b"referrer-policy", b"same-origin"),  # with no-referrer a browser would say of our own forms `Origin: null`
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_STRICT: Headers = ((b"strict-transport-security", b"max-age=31536000"),)


def is_api(path: str) -> bool:
    """Whether programs ask for it; everything else is a page, or of one."""
    return path == "/v1" or path.startswith("/v1/")


def headers_of(path: str, *, strict: bool) -> Headers:
    """Those of an answer to this path. `strict`: browsers shall come by TLS alone from now on."""
    return (*(_OF_API if is_api(path) else _OF_PAGES), *(_STRICT if strict else ()))
