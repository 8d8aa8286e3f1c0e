"""What becomes of a fault: it ends the reading, or in an emergency only the entry that has it."""

from __future__ import annotations

from rotator.config.document import Document, Step
from rotator.config.errors import ConfigError
from rotator.config.recognise import hidden

SECTIONS = {
    "providers": "provider",
    "stores": "store",
    "policies": "policy",
    "consumers": "consumer",
    "identities": "identity",
    "notifications": "notification",
    "credentials": "credential",
}


class Faults:
    """The faults of a config. Strict ones are raised; lenient ones are kept by entry, so that what can go goes."""

    def __init__(self, *, lenient: bool) -> None:
        self.lenient = lenient
        self._found: dict[tuple[str, str], ConfigError] = {}

    def add(self, section: str, name: str, fault: ConfigError) -> None:
        """Keep the first fault of an entry, or raise it."""
        if not self.lenient:
            raise fault
        self._found.setdefault((section, name), fault)

    def of(self, section: str, name: str) -> ConfigError | None:
        """The fault of an entry that was left out."""
        return self._found.get((section, name))

    def broken(self) -> dict[str, ConfigError]:
        """The credentials that were left out."""
        return {name: fault for (section, name), fault in self._found.items() if section == "credentials"}

    def leave_out(self, document: Document, path: tuple[Step, ...], fault: ConfigError) -> None:
        """Take the smallest thing around a fault out of the document; raises the fault when nothing is left without it.

        Twice: the same.
        """
        if not self.lenient or not path or path[0] in ("state", "installation"):
            raise fault
        top, value = path[0], document.value
        entries = value.get(top)
        if len(path) > 1 and isinstance(entries, dict) and top in (*SECTIONS, "defaults"):
            if path[1] in entries:
                self.add(str(top), hidden(str(path[1])), fault)
                del entries[path[1]]
        else:
            value.pop(top, None)
