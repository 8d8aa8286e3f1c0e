"""Whatever is written: a config means what it says, or is refused in two lines without its secrets."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.app.configs import load_config
from rotator.config.document import parse_document
from rotator.config.errors import ConfigError
from rotator.domain.credential import Credential, Publication
from rotator.domain.policy import STANDARD, Policy
from tests.config.folder import assert_two_lines

calm = settings(deadline=None, database=None, max_examples=100)
SECRET = "Xk29fLq8Zr41Vt77Ab"
KEY = f"sk-proj-{SECRET}{SECRET}"

names = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,12}", fullmatch=True).filter(lambda each: each not in ("file", "env"))
words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)
templates = st.sampled_from(["{secret}", "Bearer {secret}", "pg://{user}:{password}@db", '{"k": "{secret}", "n": 1}'])
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words | st.just(SECRET) | st.just(KEY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
writers: st.SearchStrategy[Callable[[Any], str]] = st.sampled_from(
    [partial(json.dumps, ensure_ascii=False), yaml.safe_dump]
)


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    """A config that is good."""
    providers = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    stores = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    policies = draw(st.dictionaries(names, st.integers(3, 400).map(lambda n: {"every": f"{n}d"}), max_size=3))
    config: dict[str, Any] = {
        "state": draw(st.sampled_from(["sqlite:///a.db", {"url": "postgresql://a@b/c", "password": "env:P"}])),
        "installation": {"key": "file:key"},
        "providers": {each: {"driver": "keyserver", "admin": "env:ADMIN", "note": draw(words)} for each in providers},
        "stores": {each: {"driver": "file", "root": f"/{index}"} for index, each in enumerate(stores)},
        "policies": policies,
        "credentials": {},
    }
    for index, name in enumerate(draw(st.lists(names, max_size=4, unique=True))):
        config["credentials"][name] = {
            "provider": draw(st.sampled_from(providers)),
            "principal": {
                "id": str(index),
                "exclusive": draw(st.booleans()),
                "roles": draw(st.lists(words, max_size=2)),
            },
            "publish": [
                {"store": store, "ref": "shared", "fields": {f"F{index}": draw(templates)}}
                for store in draw(st.lists(st.sampled_from(stores), min_size=1, unique=True))
            ],
            "policy": draw(st.sampled_from([None, *policies])),
            "tags": draw(st.lists(words, max_size=2)),
            "owner": draw(st.none() | words),
            "needs": {"scopes": draw(st.lists(words, max_size=2))},
        }
    return config


def expected(config: dict[str, Any], name: str, got: Credential) -> Credential:
    """What the domain should hold, made without the code under test but for the principal's display name."""
    entry = config["credentials"][name]
    days = config["policies"][entry["policy"]]["every"].removesuffix("d") if entry["policy"] else None
    principal = got.principal
    assert principal.exclusive == entry["principal"]["exclusive"]
    assert principal.settings == {"id": entry["principal"]["id"], "roles": tuple(entry["principal"]["roles"])}
    return Credential(
        name=name,
        provider=entry["provider"],
        principal=principal,
        publish=tuple(Publication(store=p["store"], ref=p["ref"], fields=p["fields"]) for p in entry["publish"]),
        policy=Policy(every=timedelta(days=int(days))) if days else STANDARD,
        owner=entry["owner"] or "",
        tags=tuple(entry["tags"]),
        scopes=tuple(entry["needs"]["scopes"]),
    )


@contextmanager
def written(data: bytes) -> Iterator[Path]:
    """The bytes as a config, in a world whose variables override nothing."""
    ours = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("ROTATOR_")}
    try:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "rotator.yaml"
            path.touch(mode=0o600)
            path.write_bytes(data)
            yield path
    finally:
        os.environ.update(ours)


def judged(data: bytes) -> ConfigError | None:
    """Read strictly and leniently; what refuses or leaves out does it well. Returns the strict refusal."""
    refusal = None
    with written(data) as path:
        try:
            load_config(path)
        except ConfigError as error:
            refusal = error
        try:
            faults = [*load_config(path, lenient=True).broken.values()]
        except ConfigError as error:
            faults = [error]
    for fault in [*faults, refusal] if refusal else faults:
        told = (fault.message + fault.hint + repr(fault)).replace(str(path), "")
        assert_two_lines(fault)
        assert SECRET not in told
        assert KEY not in told
    assert refusal or not faults, "lenient finds what strict does not"
    return refusal


@calm
@given(configs(), writers)
def test_a_good_config_means_what_it_says(config: dict[str, Any], write: Callable[[Any], str]) -> None:
    with written(write(config).encode()) as path:
        read, lenient = load_config(path), load_config(path, lenient=True)
    assert read == lenient
    assert list(read.providers) == list(config["providers"]) or write is yaml.safe_dump
    assert {name: store.settings for name, store in read.stores.items()} == {
        name: {"root": entry["root"]} for name, entry in config["stores"].items()
    }
    assert dict(read.credentials) == {name: expected(config, name, got) for name, got in read.credentials.items()}
    assert set(read.credentials) == set(config["credentials"])


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Everything in a config."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in items:
        yield from paths(each, (*path, step))


def spoiled(config: dict[str, Any], path: tuple[Any, ...], how: str, value: Any) -> Any:
    """The config with one thing replaced, removed, renamed or added."""
    config = deepcopy(config)
    if not path:
        return value
    around: Any = config
    for step in path[:-1]:
        around = around[step]
    if how == "replace":
        around[path[-1]] = value
    elif how == "remove":
        del around[path[-1]]
    elif isinstance(around, dict):
        around[value if isinstance(value, str) else "extra"] = around.pop(path[-1]) if how == "rename" else value
    else:
        around.append(value)
    return config


@calm
@given(configs(), st.data(), st.sampled_from(["replace", "remove", "rename", "add"]), junk, writers)
def test_a_spoiled_config_is_read_or_refused_well(
    config: dict[str, Any], data: st.DataObject, how: str, value: Any, write: Callable[[Any], str]
) -> None:
    path = data.draw(st.sampled_from(list(paths(config))))
    judged(write(spoiled(config, path, how, value)).encode())


@calm
@given(configs(), st.data(), st.sampled_from(["replace", "rename", "add"]), writers)
def test_a_planted_key_is_always_refused(
    config: dict[str, Any], data: st.DataObject, how: str, write: Callable[[Any], str]
) -> None:
    path = data.draw(st.sampled_from([each for each in paths(config) if each]))
    assert judged(write(spoiled(config, path, how, KEY)).encode()) is not None


@calm
@given(configs(), st.data(), writers)
def test_a_file_that_was_damaged_is_read_or_refused_well(
    config: dict[str, Any], data: st.DataObject, write: Callable[[Any], str]
) -> None:
    config["providers"][next(iter(config["providers"]))]["admin"] = SECRET
    text = bytearray(write(config).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=3)
            | st.sampled_from([b"&", b"*", b"!", b"{", b"[", b"#", b"%", b"\t", b"\n", b": ", b"---\n"])
        )
    judged(bytes(text))


@calm
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_document_or_refused(data: bytes) -> None:
    try:
        document = parse_document(data, "f")
    except ConfigError as error:
        assert_two_lines(error)
    else:
        assert json.loads(json.dumps(document.value)) == document.value
