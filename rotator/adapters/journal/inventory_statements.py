"""The statements about inventories, in SQLAlchemy Core. Parameters carry the names of the columns that they are for."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, Table, insert, select

from rotator.adapters.journal import rows
from rotator.adapters.journal.schema import (
    BUNDLE,
    BUNDLE_COMPONENT,
    COMPONENT,
    CONTENTS,
    CONTENTS_BUNDLE,
    INVENTORY,
)
from rotator.adapters.journal.session import Statement
from rotator.adapters.journal.statements import among, given, inserting, saving

COMPONENT_COLUMNS = ("ecosystem", "name", "version", "elsewhere", "hashed")
_COMPONENT = [COMPONENT.c[name] for name in COMPONENT_COLUMNS]
_RECORD = (
    select(*(INVENTORY.c[name] for name in rows.INVENTORY.columns), CONTENTS.c.digest, INVENTORY.c.number)
    .join(CONTENTS, CONTENTS.c.id == INVENTORY.c.contents)
    .order_by(INVENTORY.c.number)
)

RECORDS = Statement(_RECORD)
RECORDS_OF = Statement(_RECORD.where(INVENTORY.c.consumer == given("consumer")))
RECORDS_OF_FILE = Statement(
    _RECORD.where(INVENTORY.c.consumer == given("consumer"), INVENTORY.c.origin == given("origin"))
)
_HELD = (
    select(INVENTORY.c.number, *_COMPONENT)
    .join(CONTENTS_BUNDLE, CONTENTS_BUNDLE.c.contents == INVENTORY.c.contents)
    .join(BUNDLE_COMPONENT, BUNDLE_COMPONENT.c.bundle == CONTENTS_BUNDLE.c.bundle)
    .join(COMPONENT, COMPONENT.c.id == BUNDLE_COMPONENT.c.component)
)
HOLDING = Statement(_HELD.where(COMPONENT.c.ecosystem == given("ecosystem"), COMPONENT.c.name == given("name")))
COMPONENTS_OF = Statement(_HELD.where(INVENTORY.c.number == given("number")))

CONTENTS_KNOWN = Statement(select(CONTENTS.c.id).where(CONTENTS.c.digest == given("digest")))
BUNDLES_KNOWN = Statement(select(BUNDLE.c.digest).where(among(BUNDLE.c.digest, "digests")))
ADD_CONTENTS = saving(CONTENTS, ("digest",), ("digest",), first=True)
ADD_BUNDLE = saving(BUNDLE, ("digest",), ("digest",), first=True)
ADD_COMPONENT = saving(COMPONENT, COMPONENT_COLUMNS, COMPONENT_COLUMNS, first=True)


def _linking(table: Table, found: Select[Any]) -> Statement:
    """An insert of the ids that are found."""
    return Statement(insert(table).from_select([column.name for column in table.c], found))


PUT_INTO_BUNDLE = _linking(
    BUNDLE_COMPONENT,
    select(BUNDLE.c.id, COMPONENT.c.id).where(
        BUNDLE.c.digest == given("digest"), *(COMPONENT.c[name] == given(name) for name in COMPONENT_COLUMNS)
    ),
)
PUT_INTO_CONTENTS = _linking(
    CONTENTS_BUNDLE,
    select(CONTENTS.c.id, BUNDLE.c.id).where(
        CONTENTS.c.digest == given("digest"), BUNDLE.c.digest == given("bundle_digest")
    ),
)
ADD_INVENTORY = Statement(
    inserting(INVENTORY, (*rows.INVENTORY.columns, "recorded_at")).values(
        contents=select(CONTENTS.c.id).where(CONTENTS.c.digest == given("digest")).scalar_subquery()
    )
)
