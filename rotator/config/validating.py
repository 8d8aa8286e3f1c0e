"""Names and types: what pydantic finds, said to somebody who knows neither pydantic nor this program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, get_args

from rotator.config.document import Document, Step
from rotator.config.errors import ConfigError, nearest
from rotator.config.faults import Faults
from rotator.config.recognise import contains_key
from rotator.config.references import HOW
from rotator.config.secrecy import dotted, masked, shown

if TYPE_CHECKING:
    from pydantic import ValidationError

    from rotator.config.models import ConfigFile

SEE = "`config/rotator.example.yaml` shows a whole config"
_SAID = {
    "string_type": ("is not text", "put the value in quotes"),
    "string_too_short": ("is empty", "write something there, or leave it out"),
    "string_too_long": ("is too long", "write at most 4096 characters"),
    "string_pattern_mismatch": ("is no name", "use letters, digits, _ - and ., at most 63, a letter or digit first"),
    "int_type": ("is not a whole number", "write digits alone, without quotes"),
    "bool_type": ("is neither true nor false", "write true or false"),
    "dict_type": ("is not a table", "write name: value in the lines beneath it"),
    "model_type": ("is not a table", "write name: value in the lines beneath it"),
    "list_type": ("is not a list", "write [one, two]"),
    "too_short": ("is empty", "write at least one"),
    "state": ("is no URL", "write sqlite:///rotator.db or postgresql://USER@HOST/DATABASE"),
    "policy": ("is neither the name of a policy nor a table", "write policy: NAME, or {every: 30d}"),
    "principal": ("is neither text nor a list of texts", "put it in quotes; a list is written [one, two]"),
}


def validated(document: Document, faults: Faults) -> ConfigFile:
    """The config's shape. Raises `ConfigError`; lenient, only for what everything else depends on."""
    from pydantic import ValidationError

    from rotator.config.models import ConfigFile

    for path, fault in _misplaced_secrets(document):
        faults.leave_out(document, path, fault)
    while True:
        try:
            return ConfigFile.model_validate(document.value)
        except ValidationError as error:
            found = _explained(document, error)
        # Out here, because pydantic's error holds what stands in the config, and a traceback would show it.
        for path, fault in found:
            faults.leave_out(document, path, fault)


def _misplaced_secrets(document: Document) -> list[tuple[tuple[Step, ...], ConfigError]]:
    """Every secret of a known form, wherever it stands, also as a name."""
    found = []
    harmless: set[str] = set()  # of 100,000 entries most words are the same
    for path, text in _texts(document.value, ()):
        if text in harmless:
            continue
        form = contains_key(text)
        if form is not None:
            message = f"{document.where(path)}: {_around(path, text)} a secret ({form.vendor})"
            found.append((path, ConfigError(message, f"{HOW} instead, and consider it leaked if others saw this file")))
        else:
            harmless.add(text)
    return found


def _around(path: tuple[Step, ...], text: str) -> str:
    if path[-1] != text:
        return f"{dotted(path)} holds"
    return f"a name beneath {dotted(path[:-1])} is" if len(path) > 1 else "a name is"


def _texts(value: Any, path: tuple[Step, ...]) -> Iterator[tuple[tuple[Step, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield (*path, key), key
            yield from _texts(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, (*path, index))


def _explained(document: Document, error: ValidationError) -> list[tuple[tuple[Step, ...], ConfigError]]:
    """What pydantic found in the order of the lines, without the values that it found there."""
    found = [
        (tuple(step for step in each["loc"] if step != "[key]"), each)
        for each in error.errors(include_input=False, include_url=False)
    ]
    # Of a misspelt name and the one that is missing therefore, the misspelt one is said.
    found.sort(key=lambda each: (document.where(each[0]).line, each[1]["type"] != "extra_forbidden"))
    return [(path, _sentence(document, path, each)) for path, each in found]


def _sentence(document: Document, path: tuple[Step, ...], found: Any) -> ConfigError:
    place, name, kind = document.where(path), dotted(path), found["type"]
    if kind == "extra_forbidden":
        return _unknown(document, path)
    if kind == "missing":
        return ConfigError(f"{place}: {name} is missing", f"add {path[-1]}: …; {SEE}")
    if kind == "literal_error":
        return ConfigError(f"{place}: {name} is none of the words known here", f"write {found['ctx']['expected']}")
    if kind in ("greater_than_equal", "less_than_equal"):
        return ConfigError(f"{place}: {name} is out of range", "write a number from 1 to 256")
    what, hint = _SAID.get(kind, (masked(found["msg"].lower()), SEE))
    if kind == "string_type" and "fields" in path:
        hint = 'write a template in quotes, like "{secret}"'
    return ConfigError(f"{place}: {name} {what}", hint)


def _unknown(document: Document, path: tuple[Step, ...]) -> ConfigError:
    from rotator.config.models import ConfigFile

    known = _known(ConfigFile, path[:-1])
    near = nearest(str(path[-1]), known)
    hint = f"did you mean {near}?" if near else "known here: " + ", ".join(known)
    within = f" in {dotted(path[:-1])}" if path[1:] else ""
    return ConfigError(f"{document.where(path)}: {shown(path[-1])} is not known{within}", hint)


def _known(model: Any, path: tuple[Step, ...]) -> list[str]:
    """The fields of the model at a path, found by walking its annotations."""
    for step in path:
        fields = getattr(model, "model_fields", None)
        annotation = fields[step].annotation if fields is not None and step in fields else model
        model = next(_models(annotation), annotation)
    return [field.alias or name for name, field in getattr(model, "model_fields", {}).items()]


def _models(annotation: Any) -> Iterator[Any]:
    if hasattr(annotation, "model_fields"):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
