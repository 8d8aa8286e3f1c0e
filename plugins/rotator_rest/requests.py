"""One request of a description: what is sent, with which credential, and what its answers mean."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rotator.sdk import Settings, SettingsError
from rotator.sdk.http import Form

from .outcomes import SUCCESS, Outcomes, read_meaning
from .templates import Names, Path, Text, Tree

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PLAIN = ("method", "path", "headers", "json", "form")
ALWAYS = ("principal", "settings")
"""What every template may mention."""
TIMES = ("lifetime_seconds", "expires_at", "expires_at_seconds", "expires_at_milliseconds")

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_OURS = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "te", "upgrade", "user-agent"}
)


@dataclass(frozen=True, slots=True)
class Auth:
    """The header that shows a credential."""

    header: str
    template: Text
    basic: bool

    def headers(self, names: Names) -> dict[str, str]:
        """The header. Raises `Permanent` for a value that fits into none, without showing it."""
        line = self.template.line(names)
        return {self.header: f"Basic {base64.b64encode(line.encode()).decode()}" if self.basic else line}


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `auth`: None for the admin credential, and never both."""

    method: str
    path: Path
    headers: Mapping[str, Text]
    body: Tree | None
    form: bool
    outcomes: Outcomes
    auth: Auth | None = None

    @property
    def mentions(self) -> frozenset[str]:
        """All placeholders in it."""
        texts = [*self.headers.values(), *((self.auth.template,) if self.auth else ())]
        inner = self.body.mentions if self.body is not None else frozenset()
        return frozenset().union(self.path.mentions, inner, *(text.mentions for text in texts))

    def content(self, names: Names) -> Any:
        """The body as the client takes it."""
        if self.body is None:
            return None
        filled = self.body.fill(names)
        return Form({name: _spelled(each) for name, each in filled.items()}) if self.form else filled

    def more_headers(self, names: Names) -> dict[str, str]:
        """The headers besides the credential's."""
        return {name: text.line(names) for name, text in self.headers.items()}


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads requests of one description. `common`: headers of all that the admin credential sends."""

    at: str
    admin: str
    """The header of the admin credential, which no other template may write."""
    common: Mapping[str, Text]
    code: str | None

    def request(
        self,
        given: Settings,
        name: str,
        allowed: Collection[str],
        words: Mapping[str, Collection[int]],
        method: str = "POST",
        auth: Auth | None = None,
    ) -> Request:
        """`words`: what answers can mean, and the statuses that mean it unless the table says others.

        Raises `SettingsError`.
        """
        known = (*ALWAYS, *allowed)
        where = f"{self.at}{name}"
        if given.has("json") and given.has("form"):
            raise SettingsError(f"{where} has two bodies", "write json: or form:")
        kind = "form" if given.has("form") else "json"
        body = Tree(given.tree(kind), known, f"{where}.{kind}") if given.has(kind) else None
        if kind == "form" and body is not None and not _flat(given.tree("form")):
            raise SettingsError(f"{where}.form is no table of texts", "write form: {name: text}")
        return Request(
            given.choice("method", METHODS, method),
            Path(given.text("path"), known, f"{where}.path"),
            {**(self.common if auth is None else {}), **self.headers(given, known, where)},
            body,
            kind == "form",
            self.outcomes(given, where, words),
            auth,
        )

    def outcomes(self, given: Settings, where: str, words: Mapping[str, Collection[int]]) -> Outcomes:
        """What answers mean, by the words of a table."""
        code = given.text("code") if given.has("code") else self.code
        read = {}
        for word, statuses in words.items():
            if given.has(word) or statuses:
                said = given.tree(word) if given.has(word) else list(statuses)
                read[word] = read_meaning(said, f"{where}.{word}", code, needed=word in (SUCCESS, "works"))
        return _without_overlap(Outcomes(read, code), given)

    def headers(self, given: Settings, known: Collection[str], where: str) -> dict[str, Text]:
        """More headers, none of which is a credential's."""
        table = given.tree("headers") or {}
        if not isinstance(table, Mapping) or not all(isinstance(each, str) for each in table.values()):
            raise SettingsError(f"{where}.headers is no table of texts", "write headers: {Name: text}, texts in quotes")
        for name in table:
            self._may_be_written(str(name), f"{where}.headers")
        return {str(name): Text(text, known, f"{where}.headers.{name}") for name, text in table.items()}

    def _may_be_written(self, name: str, where: str) -> None:
        if not _HEADER.fullmatch(name) or name.lower() in _OURS:
            raise SettingsError(f"{where} names a header that is not a description's to write", "leave it out")
        if name.lower() == self.admin.lower():
            raise SettingsError(f"{where} writes the header of the admin credential", "say by auth: how it is written")


def read_auth(
    given: Settings, where: str, secrets: Collection[str], default: str, words: Collection[str] = ALWAYS
) -> Auth:
    """How a credential is shown, one of whose parts must be in it. Raises `SettingsError`."""
    known = (*secrets, *words)
    basic = given.has("basic")
    if basic and (given.has("header") or given.has("format")):
        raise SettingsError(f"{where} says both basic and a header", 'write basic: "user:{…}" alone')
    header = given.text("header", "Authorization")
    if not _HEADER.fullmatch(header) or header.lower() in _OURS:
        raise SettingsError(f"{where}.header is no header for a credential", "write header: X-Api-Key or the like")
    plain = default if header.lower() != "authorization" else f"Bearer {default}"
    name = "basic" if basic else "format"
    template = Text(given.text(name, plain), known, f"{where}.{name}")
    if not template.mentions & set(secrets):
        shown = " or ".join(f"{{{each}}}" for each in secrets)
        raise SettingsError(f"{where}.{name} does not show {shown}", f'write {name}: "{plain}"')
    return Auth(header, template, basic)


def _spelled(value: Any) -> Any:
    """A value of a form, where a flag is a word as everywhere outside Python."""
    return str(value).lower() if isinstance(value, bool) else value


def _flat(tree: Any) -> bool:
    inner = tree.values() if isinstance(tree, Mapping) else (None,)
    return all(isinstance(each, str | int | list) for each in inner)


def _without_overlap(outcomes: Outcomes, given: Settings) -> Outcomes:
    """What a table says itself counts before what is so by default: `cap: [403]` takes 403 from `forbidden`."""
    said = {word for word in outcomes.words if given.has(word)}
    taken = {status for word in said for status in outcomes.words[word].statuses}
    words = {
        word: meaning if word in said else replace(meaning, statuses=meaning.statuses - taken)
        for word, meaning in outcomes.words.items()
    }
    return Outcomes(words, outcomes.code)
