"""Package URLs: `pkg:npm/%40scope/name@1.0.0` (https://github.com/package-url/purl-spec)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from rotator.domain.packages import ECOSYSTEMS


@dataclass(frozen=True, slots=True)
class PackageUrl:
    """What of it names a component. `version`: "" where it says none."""

    ecosystem: str
    name: str
    version: str


def parse_purl(text: object) -> PackageUrl | None:
    """None for what is none. Ecosystems that OSV does not call otherwise are called as the URL does."""
    if not isinstance(text, str) or not text.lower().startswith("pkg:"):
        return None
    rest = text[4:].lstrip("/").partition("#")[0].partition("?")[0]
    kind, slash, path = rest.partition("/")
    if not slash or not kind:
        return None
    path, version = _split_version(path)
    parts = [unquote(part) for part in path.split("/") if part]
    if not parts:
        return None
    kind = kind.lower()
    joint = ":" if kind == "maven" else "/"
    return PackageUrl(ECOSYSTEMS.get(kind, kind), joint.join(parts), unquote(version))


def _split_version(path: str) -> tuple[str, str]:
    """A scope's `@` should be written `%40`, and not everybody does."""
    at = path.rfind("@")
    return (path, "") if at <= 0 or "/" in path[at:] else (path[:at], path[at + 1 :])
