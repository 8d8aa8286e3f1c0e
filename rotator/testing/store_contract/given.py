"""What the tests are given, to be overridden by who inherits them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import ClassVar, Protocol

import pytest

from rotator.domain.credential import Place, PlaceKind
from rotator.ports import Store
from rotator.testing.wired import WiredStore

LoseAnswer = Callable[[], AbstractContextManager[Store]]


class Colleague(Protocol):
    """Somebody who owns other fields of the documents and has tools of their own."""

    def edit(self, ref: str, field: str, text: str) -> None:
        """Set one field, making the document if need be."""
        ...

    def look(self, ref: str) -> Mapping[str, str]:
        """What a consumer finds: every field of the document; none when there is no document."""
        ...


class GivenStore:
    """For every store."""

    REFUSED: ClassVar[frozenset[str]] = frozenset()
    """Names of `VALUES` that this store refuses besides those that no store takes."""

    @pytest.fixture
    def store(self) -> Store:
        """The driver under test."""
        raise NotImplementedError

    @pytest.fixture
    def lose_answer(self) -> LoseAnswer:
        """A store on the same place whose next change takes effect, within the context, while its answer is lost."""
        pytest.skip("answers of this store cannot be lost")

    @pytest.fixture
    def ref(self) -> str:
        """Where nothing is."""
        return "team/service"

    @pytest.fixture
    def wired(self, store: Store) -> Store:
        """The driver behind the codec."""
        return WiredStore(store)


class GivenDocuments(GivenStore):
    """For a store that can be read, whose documents have fields of others, too."""

    @pytest.fixture
    def colleague(self) -> Colleague:
        """Somebody else."""
        raise NotImplementedError

    @pytest.fixture
    def neighbours(self, ref: str) -> tuple[str, ...]:
        """References that resemble `ref`, as far as the store has such: what is beside, above and beneath it."""
        return (f"{ref}/deeper", f"{ref}2", ref.rpartition("/")[0])

    @pytest.fixture
    def current(self, ref: str) -> Place:
        """What consumers read: two fields of a document that may have others."""
        return Place(ref=ref, kind=PlaceKind.CURRENT, fields=("API_KEY", "USER"))

    @pytest.fixture(params=[PlaceKind.PENDING, PlaceKind.PREVIOUS])
    def private(self, ref: str, request: pytest.FixtureRequest) -> Place:
        """What consumers cannot read."""
        return Place(ref=ref, kind=request.param, of="key@1/2")

    @pytest.fixture(params=list(PlaceKind))
    def place(self, ref: str, request: pytest.FixtureRequest) -> Place:
        """One of each kind."""
        if request.param is PlaceKind.CURRENT:
            return Place(ref=ref, kind=PlaceKind.CURRENT, fields=("API_KEY", "USER"))
        return Place(ref=ref, kind=request.param, of="0mk3r7")
