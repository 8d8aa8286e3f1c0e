"""A scene where everything is to be seen at once: stuck, waiting, late, held, left behind, an incident, many others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rotator.app import approving, incidents, pausing, standing
from rotator.app.assembly import Assembly
from rotator.domain.consumers import ConsumerState, PickedUp
from rotator.domain.incidents import Incident
from rotator.domain.records import CredentialRow, Event, EventKind, KnownKey, Origin
from rotator.domain.rotation import Mode, OldKey, Phase, Problem, Proof, Rotation, StoreState, WaitFor, Waiting
from rotator.ports import Change, Journal
from rotator.testing.keyserver import Keyserver
from tests.cli.scene import Scene, make

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
OWNERS = ("team-ml", "team-db", "team-web")
INCIDENT = "inc-20261126-a1b2"
STUCK, WAITS, LATE, HELD, BEHIND, FRESH = "openai-prod", "pinecone-search", "stripe-live", "db-main", "maps", "mail-api"
UNPROVEN, LIVE, EXPOSED, PROVEN, ADRIFT = "old-proxy", "agents-llm", "ci-deploy", "ci-cache", "not-yet-here"
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


def rich(folder: Path, keyserver: Keyserver, others: int = 160, *, name: str = FRESH, words: str = "") -> Scene:
    """The config, and a journal that tells all that. `name` and `words`: of whoever is hostile."""
    named = (STUCK, WAITS, LATE, HELD, BEHIND, UNPROVEN, LIVE, EXPOSED, PROVEN, ADRIFT, FRESH)
    many = tuple(f"service-{number:03}" for number in range(others))
    scene = make(folder, keyserver, named)
    _config(scene, named, many)
    journal = scene.journal()
    try:
        _journal(journal, datetime.now(UTC), many, words)
    finally:
        journal.close()
    return scene


def let_config_wait(scene: Scene, assembly: Assembly) -> None:
    """What is there is approved, and then the file says something else, half of it sensitive."""
    whole = approving.load_whole(scene.config)
    kept = assembly.journal.recall(approving.REMEMBERED)
    approving.keep(assembly, whole.tree, "what was there at the first start", (), expected=kept)
    data = json.loads(scene.config.read_text())
    providers = {**data["providers"], "ks": {**data["providers"]["ks"], "base_url": "http://127.0.0.1:9/elsewhere"}}
    policies = {**data["policies"], "quick": {**data["policies"]["quick"], "every": "20d"}}
    scene.rewrite(providers=providers, policies=policies)
    words = "providers.ks.base_url"
    standing.keep(assembly.journal, "config waits", [(str(scene.config), words)], assembly.clock.now())


def _config(scene: Scene, named: Sequence[str], many: Sequence[str]) -> None:
    data = json.loads(scene.config.read_text())
    first = data["credentials"][named[0]]
    credentials = {}
    for number, name in enumerate((*named, *many)):
        entry = dict(data["credentials"].get(name) or {**first, "principal": {"principal": name, "exclusive": True}})
        if name in many:
            entry["publish"] = [{"store": "files", "ref": f"{name}.json", "fields": {"API_KEY": "{secret}"}}]
        entry |= {"owner": OWNERS[number % 3], "consumers": ["agents", "web"][: number % 3]}
        entry["policy"] = "working-hours" if number % 5 == 3 else "quick"
        credentials[name] = entry
    today = datetime.now(UTC).date()
    freeze = f"{today + 6 * DAY}/{today + 8 * DAY}"
    policies = {
        **data["policies"],
        "working-hours": {"every": "45d", "window": "Mon-Fri 09:00-16:00 Europe/Berlin", "blackout": [freeze]},
    }
    consumers = {"web": {"lockfiles": ["web/requirements.txt"]}, "agents": {}}
    scene.rewrite(listen="127.0.0.1:0", credentials=credentials, policies=policies, consumers=consumers)


def _journal(journal: Journal, now: datetime, many: Sequence[str], words: str) -> None:
    for number, name in enumerate(many):
        _save(journal, name, now, age=30 * DAY * (number % 89) / 100, due=(number % 31) * DAY / 2 + HOUR)
    _save(journal, FRESH, now, age=2 * DAY, due=26 * DAY)
    _save(journal, LATE, now, age=40 * DAY, due=-9 * DAY)
    _save(journal, HELD, now, age=33 * DAY, due=-3 * DAY, held=True, held_why=words or "the auditors copy it this week")
    _save(journal, BEHIND, now, age=12 * DAY, due=15 * DAY, drift=("vault:maps/prod",))
    _stuck(journal, now, words)
    _waits(journal, now, words)
    _live(journal, now)
    _unproven(journal, now)
    _incident(journal, now, words)
    pausing.pause(journal, now - 2 * HOUR, now + 5 * HOUR, words or "the provider is under maintenance")
    standing.keep(journal, "driver would not start", [("pinecone", words or "its pin names another hash")], now - HOUR)


def _save(journal: Journal, name: str, now: datetime, *, age: timedelta, due: timedelta, **more: Any) -> None:
    key = f"key-of-{name}"
    row = CredentialRow(name=name, current=key, current_since=now - age, next_due=now + due, **more)
    known = KnownKey(key_id=key, credential=name, origin=Origin.MINTED, since=now - age)
    event = Event(kind=EventKind.OPERATOR, action="adopt", subject=key, detail={"credential": name})
    journal.save(row, now - min(age, 20 * DAY), Change(keys=(known,), events=(event,)))


def _phase(phase: Phase) -> Event:
    return Event(kind=EventKind.PHASE, action="phase", subject=phase.value, detail={})


def _did(action: str, subject: str, result: str = "ok", **detail: str) -> tuple[Event, ...]:
    return (
        Event(kind=EventKind.INTENT, action=action, subject=subject, detail=detail),
        Event(kind=EventKind.OUTCOME, action=action, subject=subject, detail={"result": result, **detail}),
    )


def _begin(journal: Journal, name: str, at: datetime, mode: Mode = Mode.SCHEDULED, reason: str = "due") -> Rotation:
    row = Rotation(
        id=f"1m8{abs(hash((name, mode.value))) % 10**10:010}xyz",
        credential=name,
        mode=mode,
        reason=reason,
        started_at=at,
        next_at=at,
        since=at,
        phase=Phase.PLANNED,
    )
    begun = Event(kind=EventKind.PHASE, action="begin", subject=mode.value, detail={"reason": reason})
    assert journal.begin(row, Change(events=(begun,)))
    (claimed,) = journal.claim(owner="anna", now=at, lease=MINUTE, limit=1, only=[name])
    return claimed


def _step(journal: Journal, row: Rotation, at: datetime, *events: Event, **fields: Any) -> Rotation:
    phases = [Phase(each.subject) for each in events if each.action == "phase"]
    if phases:
        fields |= {"phase": phases[-1], "since": at}
    row = replace(row, **fields)
    journal.commit(row, at, Change(events=tuple(events)))
    return row


def _to_live(journal: Journal, row: Rotation, at: datetime, stores: Sequence[StoreState]) -> Rotation:
    places = [f"{each.store}:{each.ref}" for each in stores]
    kept = [each for place in places for each in _did("keep previous", place)]
    row = _step(journal, row, at, *kept, _phase(Phase.MINTING))
    saved = (*_did("mint", "ks"), *_did("save in escrow", places[0]), _phase(Phase.STAGING))
    row = _step(journal, row, at + 2 * timedelta(seconds=1), *saved, new_key="key-new", minted_at=at)
    row = _step(journal, row, at + MINUTE, _phase(Phase.PROMOTING), verified_at=at + MINUTE)
    for number, place in enumerate(places):
        row = _step(journal, row, at + MINUTE * (2 + number), *_did("promote", place))
    done = tuple(replace(each, promoted_at=at + MINUTE * 2, version="v7", expected="v6") for each in stores)
    live = at + MINUTE * 5
    return _step(journal, row, live, _phase(Phase.LIVE), stores=done, live_at=live)


def _stuck(journal: Journal, now: datetime, words: str) -> None:
    _save(journal, STUCK, now, age=31 * DAY, due=-DAY)
    row = _begin(journal, STUCK, now - 3 * HOUR)
    stores = [StoreState(store="files", ref=f"{STUCK}.json"), StoreState(store="vault", ref="ai/openai")]
    old = (OldKey(key_id=f"key-of-{STUCK}", had=True),)
    row = _step(
        journal, row, now - 3 * HOUR, *_did("keep previous", stores[0].store + ":" + stores[0].ref), old_keys=old
    )
    row = _step(
        journal, row, now - 2 * HOUR, *_did("promote", "vault:ai/openai", "denied"), fixed=True, stores=tuple(stores)
    )
    problem = Problem(
        message=words or "the admin credential may not write ai/openai: permission denied",
        hint="grant `update` on kv/data/ai/openai, then resume",
    )
    _step(
        journal,
        row,
        now - 2 * HOUR,
        _phase(Phase.STUCK),
        problem=problem,
        parked_from=Phase.PROMOTING,
        owner=None,
        next_at=NEVER,
    )


def _waits(journal: Journal, now: datetime, words: str) -> None:
    _save(journal, WAITS, now, age=29 * DAY, due=-DAY)
    row = _begin(journal, WAITS, now - DAY)
    note = words or "make a key in the console of Pinecone and hand it over"
    waiting = Waiting(until=NEVER, for_=WaitFor.PERSON, note=note)
    _step(journal, row, now - DAY, _phase(Phase.MINTING), waiting=waiting, owner=None, next_at=NEVER)


def _live(journal: Journal, now: datetime) -> None:
    _save(journal, LIVE, now, age=27 * DAY, due=-DAY)
    row = _begin(journal, LIVE, now - 6 * HOUR, Mode.MANUAL, "asked: a new owner (by bert)")
    old = (OldKey(key_id=f"key-of-{LIVE}", had=True, kept_in="files"),)
    stores = [StoreState(store="files", ref=f"{LIVE}.json"), StoreState(store="files", ref="copy.json")]
    row = _to_live(journal, row, now - 6 * HOUR, stores)
    told = now - 5 * HOUR
    consumers = (
        ConsumerState(name="agents", since=told, told_at=told, picked_up_at=told + MINUTE, how=PickedUp.ACKNOWLEDGED),
        ConsumerState(name="web", since=told, told_at=told, attempts=2, trouble="it answered 503"),
    )
    waiting = Waiting(until=now + 18 * HOUR, for_=WaitFor.TIME, note="until the overlap is over")
    _step(
        journal,
        row,
        now - 5 * HOUR,
        *_did("tell", "agents"),
        old_keys=old,
        fixed=True,
        consumers=consumers,
        waiting=waiting,
        owner=None,
        next_at=now + 18 * HOUR,
    )


def _over(journal: Journal, row: Rotation, at: datetime, key: str, proof: Proof) -> Rotation:
    dead = OldKey(
        key_id=key,
        had=True,
        disabled_at=at,
        deleted_at=at + MINUTE,
        first_refused_at=at + MINUTE,
        proof=proof,
        dead_at=at + MINUTE * 2,
    )
    proven = Event(kind=EventKind.OBSERVATION, action="proven", subject=key, detail={"proof": proof.value})
    events = (_phase(Phase.RETIRING), *_did("disable", key), *_did("delete", key), proven, _phase(Phase.SWEEPING))
    row = _step(journal, row, at, *events, old_keys=(dead,), fixed=True, beyond_pivot=True)
    return _step(journal, row, at + HOUR, _phase(Phase.DONE), ended_at=at + HOUR, owner=None)


def _unproven(journal: Journal, now: datetime) -> None:
    _save(journal, UNPROVEN, now, age=5 * DAY, due=20 * DAY)
    row = _begin(journal, UNPROVEN, now - 6 * DAY)
    row = _to_live(journal, row, now - 6 * DAY, [StoreState(store="files", ref=f"{UNPROVEN}.json")])
    _over(journal, row, now - 5 * DAY, f"key-of-{UNPROVEN}", Proof.UNPROVEN)


def _incident(journal: Journal, now: datetime, words: str) -> None:
    at = now - 40 * MINUTE
    why = dict.fromkeys((EXPOSED, PROVEN, STUCK), (("web", "litellm 1.82.7"),))
    record = Incident(
        id=INCIDENT,
        opened_at=at,
        names=(EXPOSED, PROVEN, STUCK, ADRIFT),
        reason=words or "litellm 1.82.7 read what it could",
        why=why,
        unknown={"legacy-batch": "the config has no such credential any more"},
        bad_from=now - 3 * DAY,
    )
    incidents.keep(journal, record)
    for name, proof in ((PROVEN, Proof.REFUSED), (EXPOSED, None)):
        _save(journal, name, now, age=10 * DAY, due=10 * DAY)
        row = _begin(journal, name, at, Mode.COMPROMISE, f"compromise: {INCIDENT}")
        row = _to_live(journal, row, at, [StoreState(store="files", ref=f"{name}.json")])
        if proof is not None:
            _over(journal, row, at + 8 * MINUTE, f"key-of-{name}", proof)
        else:
            old = (OldKey(key_id=f"key-of-{name}", had=True, disabled_at=at + 7 * MINUTE),)
            waiting = Waiting(until=now + MINUTE, for_=WaitFor.TIME, note="refused once; once more after a minute")
            phase = _phase(Phase.RETIRING)
            disabled = _did("disable", f"key-of-{name}")
            _step(journal, row, at + 7 * MINUTE, phase, *disabled, old_keys=old, waiting=waiting, owner=None)
