"""What a bad package exposes: who had it in the window, what they read, what that opens, and what nobody knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rotator.domain.grants import Grant
from rotator.domain.packages import NPM, PYPI, Component, Inventory, Package
from rotator.policy.exposure import Estate, Exposure, Rank, Suspect, exposure

LITELLM = Package.of(PYPI, "LiteLLM")
START = datetime(2026, 3, 24, 10, 39, tzinfo=UTC)
END = datetime(2026, 3, 24, 16, tzinfo=UTC)
BEFORE, AFTER = START - timedelta(days=30), END + timedelta(days=30)
BAD = ("1.82.7", "1.82.8")


def judged(component: Component) -> bool | None:
    if component.package != LITELLM:
        return False
    return None if component.version in ("", "main") else component.version in BAD


SUSPECT = Suspect(ecosystems=frozenset({PYPI}), matches=judged, start=START, end=END)


def held(
    consumer: str,
    version: str | None,
    since: datetime = BEFORE,
    until: datetime | None = None,
    *,
    kind: str = "uv.lock",
    gaps: tuple[str, ...] = (),
) -> Inventory:
    components = [Component(package=Package.of(PYPI, "urllib3"), version="2.5.0")]
    if version is not None:
        components.append(Component(package=LITELLM, version=version))
    return Inventory(
        consumer=consumer,
        kind=kind,
        origin=f"{consumer}/{kind}",
        since=since,
        until=until,
        components=tuple(components),
        gaps=gaps,
    )


def estate(**opens: object) -> Estate:
    return Estate(
        credentials=("db", "openai", "admin", "vault-login", "orphan"),
        consumers=("agents", "web"),
        grants=(
            Grant("openai", ("agents", "role agents", "vault:ai/*")),
            Grant("db", ("web", "db")),
            Grant("admin", ("web", "admin")),
            Grant("vault-login", ("web", "vault-login")),
        ),
        **opens,  # type: ignore[arg-type]
    )


def found(*inventories: Inventory, there: Estate | None = None) -> Exposure:
    return exposure(there or estate(), inventories, SUSPECT)


def test_who_had_the_bad_version_in_the_window_exposes_what_he_reads_and_why_is_said() -> None:
    result = found(held("agents", "1.82.8"), held("web", "1.82.6"))
    assert result.names == ("openai",)
    [way] = result.exposed[0].why
    had = "agents had litellm 1.82.8 from 2026-02-22T10:39:00Z to this day (agents/uv.lock)"
    assert way == (had, "role agents", "vault:ai/*")
    assert result.unknown == {"orphan": "no consumer is declared that reads it"}
    assert result.unknown_consumers == {}


def test_a_clean_version_before_and_after_exposes_nothing() -> None:
    result = found(held("agents", "1.82.6", until=START - timedelta(days=1)), held("agents", "1.83.0", since=AFTER))
    assert result.exposed == ()
    assert list(result.unknown_consumers) == ["agents", "web"]


def test_todays_record_says_nothing_of_the_window() -> None:
    result = found(held("agents", "1.83.0", since=AFTER), held("web", None))
    assert result.unknown_consumers == {
        "agents": ("no record of its PyPI packages from 2026-03-24T10:39:00Z to 2026-03-24T16:00:00Z",)
    }
    assert result.unknown["openai"] == "read by agents, of which nobody knows what it had"


def test_a_hole_within_the_window_is_named() -> None:
    noon, one = START.replace(hour=12, minute=0), START.replace(hour=13, minute=0)
    result = found(held("agents", "1.82.6", until=noon), held("agents", "1.83.0", since=one), held("web", None))
    assert result.unknown_consumers == {
        "agents": ("no record of its PyPI packages from 2026-03-24T12:00:00Z to 2026-03-24T13:00:00Z",)
    }


def test_a_record_that_ends_when_the_window_begins_is_no_record_of_it() -> None:
    result = found(held("agents", "1.82.8", until=START), held("web", None))
    assert result.exposed == ()
    assert "agents" in result.unknown_consumers


def test_a_record_that_begins_when_the_window_ends_is_within_it() -> None:
    result = found(held("agents", None, until=END), held("agents", "1.82.8", since=END), held("web", None))
    assert result.names == ("openai",)


def test_a_record_of_other_packages_says_nothing_of_these() -> None:
    other = Inventory(
        consumer="agents",
        kind="package-lock.json",
        origin="web/package-lock.json",
        since=BEFORE,
        components=(Component(package=Package.of(NPM, "left-pad"), version="1.3.0"),),
    )
    assert "agents" in found(other, held("web", None)).unknown_consumers


def test_a_bill_of_materials_is_believed_only_of_what_is_in_it() -> None:
    full = held("agents", None, kind="cyclonedx")
    empty = Inventory(consumer="agents", kind="cyclonedx", origin="sbom.json", since=BEFORE, components=())
    assert "agents" not in found(full, held("web", None)).unknown_consumers
    assert "agents" in found(empty, held("web", None)).unknown_consumers


def test_a_version_that_cannot_be_read_and_a_gap_make_a_consumer_unknown() -> None:
    result = found(held("agents", "main"), held("web", None, gaps=("line 7: requests is not pinned",)))
    assert result.exposed == ()
    assert result.unknown_consumers == {
        "agents": ("litellm main in agents/uv.lock cannot be judged",),
        "web": ("web/uv.lock: line 7: requests is not pinned",),
    }


def test_what_mints_comes_first_then_what_opens_stores_then_what_publishes_then_by_privilege() -> None:
    there = estate(
        mints={"admin": ["openai"]},
        unlocks={"vault-login": ["vault"]},
        privilege={"orphan": (1,), "db": (0, 2), "openai": (0, 1, 9)},
        publishers=frozenset({"orphan"}),
        published={"vault": ["orphan", "db", "openai"]},
    )
    result = found(held("agents", None), held("web", "1.82.7"), there=there)
    assert result.names == ("admin", "vault-login", "orphan", "db", "openai")
    assert [each.rank for each in result.exposed] == [
        Rank.MINTS,
        Rank.UNLOCKS,
        Rank.PUBLISHES,
        Rank.LEAF,
        Rank.LEAF,
    ]
    assert result.exposed[-1].why[0][-1] == "vault-login opens the store vault, which holds it"


def test_an_admin_credential_exposes_keys_only_where_the_provider_shows_their_values() -> None:
    opens = {"mints": {"admin": ["azure"]}, "issued": {"azure": ["openai"]}}
    held_by_web = (held("agents", None), held("web", "1.82.7"))
    assert "openai" not in found(*held_by_web, there=estate(**opens)).names
    shown = estate(**opens, revealing=frozenset({"azure"}))
    assert "openai" in found(*held_by_web, there=shown).names


def test_what_opens_itself_in_a_circle_ends() -> None:
    there = estate(
        unlocks={"vault-login": ["vault"], "db": ["other"]}, published={"vault": ["db"], "other": ["vault-login"]}
    )
    assert set(found(held("web", "1.82.7"), there=there).names) == {"db", "admin", "vault-login"}


def test_a_declared_lockfile_that_was_never_recorded_makes_its_consumer_unknown() -> None:
    there = estate(lockfiles={"agents": ("agents/uv.lock", "agents/tools/uv.lock", "agents/venv")})
    result = found(held("agents", None), held("web", None), there=there)
    assert result.unknown_consumers == {
        "agents": ("no record of agents/tools/uv.lock", "no record of agents/venv"),
    }
    late = Inventory(consumer="agents", kind="uv.lock", origin="agents/venv/x", since=AFTER, components=())
    result = found(held("agents", None), held("web", None), late, there=there)
    window = "from 2026-03-24T10:39:00Z to 2026-03-24T16:00:00Z"
    assert result.unknown_consumers == {
        "agents": ("no record of agents/tools/uv.lock", f"agents/venv: no record of its PyPI packages {window}"),
    }
    other = Inventory(consumer="agents", kind="package-lock.json", origin="agents/venv", since=AFTER, components=())
    result = found(held("agents", None), held("web", None), other, there=there)
    assert result.unknown_consumers == {"agents": ("no record of agents/tools/uv.lock",)}


def test_who_had_it_and_reads_nothing_that_is_declared_is_unknown() -> None:
    result = found(held("agents", None), held("web", None), held("gone", "1.82.8"))
    assert list(result.consumers) == ["gone"]
    assert result.unknown_consumers == {"gone": ("it had it, and nothing says what it could read then",)}


def test_what_an_unknown_credential_opens_is_unknown_too() -> None:
    there = estate(unlocks={"vault-login": ["vault"]}, published={"vault": ["openai"]})
    result = found(held("agents", None), there=there)
    assert result.unknown["openai"].startswith("vault-login may be exposed: vault-login opens the store vault")


def test_an_identity_of_which_nobody_says_what_it_reads_may_read_anything() -> None:
    there = estate(unbounded={"agents": ("mystery",)})
    result = found(held("agents", "1.82.8"), held("web", None), there=there)
    assert result.names == ("openai",)
    why = "agents may read it as mystery, of which nobody says what it reads"
    assert {result.unknown[name] for name in ("db", "admin", "vault-login")} == {why}
    assert "db" not in found(held("agents", None), held("web", None), there=there).unknown


def test_nothing_declared_and_nothing_recorded_is_not_safe() -> None:
    result = exposure(Estate(credentials=("a",)), [], SUSPECT)
    assert result.exposed == ()
    assert result.unknown == {"a": "no consumer is declared that reads it"}


HOURS = st.integers(min_value=-48, max_value=48).map(lambda hours: START + timedelta(hours=hours))
RECORDS = st.lists(
    st.builds(
        held,
        st.sampled_from(("agents", "web")),
        st.sampled_from((None, "1.82.6", "1.82.7", "")),
        HOURS,
        st.none() | HOURS,
    ),
    max_size=6,
)


@given(RECORDS)
def test_every_credential_is_exposed_or_unknown_or_all_its_readers_are_known_not_to_have_had_it(
    records: list[Inventory],
) -> None:
    there = estate(unlocks={"vault-login": ["vault"]}, published={"vault": ["openai"]})
    result = exposure(there, records, SUSPECT)
    assert not set(result.names) & result.unknown.keys()
    for name in there.credentials:
        readers = {grant.path[0] for grant in there.grants if grant.credential == name}
        if name not in result.names and name not in result.unknown:
            assert readers
            assert not readers & (result.consumers.keys() | result.unknown_consumers.keys())


@given(RECORDS, st.sampled_from(("agents", "web")))
def test_without_the_records_of_a_consumer_nothing_that_was_in_doubt_becomes_clean(
    records: list[Inventory], consumer: str
) -> None:
    before = exposure(estate(), records, SUSPECT)
    after = exposure(estate(), [each for each in records if each.consumer != consumer], SUSPECT)
    assert {*after.names, *after.unknown} >= {*before.names, *before.unknown}
    assert consumer in after.unknown_consumers


def test_among_equals_the_first_number_that_differs_counts_and_the_greater_comes_sooner() -> None:
    there = estate(privilege={"db": (0, 9, 9), "openai": (1, 0, 0), "admin": (1, 0, 2), "vault-login": (1, 1, 0)})
    result = found(held("agents", "1.82.7"), held("web", "1.82.7"), there=there)
    assert result.names == ("vault-login", "admin", "openai", "db")


def test_what_a_person_named_is_exposed_and_so_is_what_it_opens() -> None:
    there = estate(unlocks={"vault-login": ["vault"]}, published={"vault": ["db"]})
    result = exposure(there, (), None, named=["vault-login"])
    assert [(each.credential, each.why) for each in result.exposed] == [
        ("vault-login", (("named by a person",),)),
        ("db", (("named by a person", "vault-login opens the store vault, which holds it"),)),
    ]


def test_without_a_bad_package_nobody_is_unknown() -> None:
    result = exposure(estate(), (held("agents", "1.82.7", gaps=("a gap",)),), None, named=["db"])
    assert (result.consumers, result.unknown_consumers, result.unknown) == ({}, {}, {})


def test_what_was_named_and_read_by_who_had_it_has_both_ways() -> None:
    result = exposure(estate(), (held("web", "1.82.7"), held("agents", None)), SUSPECT, named=["db"])
    [db] = (each for each in result.exposed if each.credential == "db")
    assert [way[0] for way in db.why] == [
        "named by a person",
        "web had litellm 1.82.7 from 2026-02-22T10:39:00Z to this day (web/uv.lock)",
    ]
