"""The world as the owner of one rotation may touch it: the only place of intents, fences and outcomes.

Steps call `write`, `remove`, `mint`, `set_state` and `tell` here. Each commits its intent under the fence, does the
effect with nothing in between, and notes the outcome. What goes to several places at the same time has all its intents
in one commit. What a step changes in the row by `update`, in the credential or its keys, becomes durable with the next
commit, so a crash point lies before or after an effect and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self, TypeVar

from rotator.domain.consumers import Heard, News
from rotator.domain.credential import Credential, Place, Publication
from rotator.domain.failures import Ambiguous, Failure, LeaseOver
from rotator.domain.keys import Capabilities, Key, KeyState, Minted, MintRequest, Verdict, unlisted_id
from rotator.domain.marks import Mark
from rotator.domain.records import CredentialRow, Event, EventKind, KnownKey, Origin, Request
from rotator.domain.rotation import ON_HOLD, Mode, Phase, Rotation, WaitFor, Waiting
from rotator.domain.secret import HIDDEN, Secret
from rotator.engine.requests import Read, Write
from rotator.engine.world import World
from rotator.ports import Change, StoreCapabilities, Stored

T = TypeVar("T")


LONGEST_WORDS = 500
"""Characters of a failure's message or hint that are kept."""


class Asked(Exception):
    """An operator asked for something before the intent was committed; nothing was written."""

    def __init__(self, requests: tuple[Request, ...]) -> None:
        super().__init__("an operator asked")
        self.requests = requests


class Pause(Exception):
    """There is nothing to do now: the step ends in this `Waiting`.

    `failing`: it waits because something failed before, so the run of failures goes on (rule 11).
    """

    def __init__(self, waiting: Waiting, *, failing: bool = False) -> None:
        super().__init__(waiting.note)
        self.waiting = waiting
        self.failing = failing


class Recorded:
    """One claimed rotation and its world. Made for each claim and used by one thread.

    What other threads do for it is to call a port: they see nothing of what changes here.
    """

    def __init__(self, row: Rotation, spec: Credential, world: World, *, claimed_at: float) -> None:
        """`claimed_at`: `Clock.boottime` from before the claim was sent."""
        self.spec = spec
        self.world = world
        self.row = row
        self.capabilities: Capabilities = world.provider.capabilities(spec.principal)
        self.values: dict[str, Secret] = {}  # by key id, as seen in stores under this claim; in memory alone
        self.worked_at: float | None = None  # when the new key was last seen to work under this claim, in boot time
        self._minted: list[Secret] = []
        self._committed = row
        self._events: list[Event] = []
        self._learned: dict[str, KnownKey] = {}
        self._expires = claimed_at + (world.timing.lease - world.timing.request).total_seconds()
        self._load()

    @classmethod
    def looking(cls, spec: Credential, world: World) -> Self:
        """A credential seen with the same eyes and no rotation of its own: for looking, never for an effect."""
        now = world.clock.now()
        nothing = Rotation(
            id="", credential=spec.name, mode=Mode.SCHEDULED, reason="", started_at=now, next_at=now, since=now
        )
        return cls(nothing, spec, world, claimed_at=world.clock.boottime())

    def _load(self) -> None:
        self.credential: CredentialRow = self.world.journal.credential(self.spec.name)
        self._credential_committed = self.credential
        self.known: dict[str, KnownKey] = {key.key_id: key for key in self.world.journal.keys(self.spec.name)}

    # -- what the row says, and saying it anew ---------------------------------------------------------------

    def now(self) -> datetime:
        """The instant."""
        return self.world.clock.now()

    def update(self, **changes: Any) -> None:
        """Change the row in memory; durable with the next commit."""
        self.row = replace(self.row, **changes)

    def learn(self, key: KnownKey) -> None:
        """Let the journal know a key of this credential; durable with the next commit."""
        if self.known.get(key.key_id) != key:
            self.known[key.key_id] = key
            self._learned[key.key_id] = key

    def note(self, action: str, subject: str = "", **detail: str) -> None:
        """Add an observation to the trail; durable with the next commit."""
        self._events.append(Event(kind=EventKind.OBSERVATION, action=action, subject=subject, detail=detail))

    def fingerprint(self, value: Secret) -> str:
        """The value's fingerprint."""
        return self.world.fingerprinter.of(value, self.capabilities.secret_part)

    def mark_of(self, key: Key) -> Mark | None:
        """The key's mark, if this installation wrote it for this credential."""
        return self.world.marker.read(self.spec.name, key.mark)

    def purge(self, failure: Failure) -> None:
        """Take every value known here out of a failure's words, and bound them: they may come from a driver."""
        part = self.capabilities.secret_part
        for value in filter(None, (each.reveal(part) for each in (*self.values.values(), *self._minted))):
            failure.message = failure.message.replace(value, HIDDEN)
            failure.hint = failure.hint.replace(value, HIDDEN)
        failure.message, failure.hint = failure.message[:LONGEST_WORDS], failure.hint[:LONGEST_WORDS]

    def wait(self, duration: timedelta, for_: WaitFor = WaitFor.TIME, note: str = "") -> Waiting:
        """A waiting that ends so much later."""
        return Waiting(until=self.now() + duration, for_=for_, note=note)

    # -- commits -----------------------------------------------------------------------------------------------

    def commit(self, *events: Event, heed: bool = True, answered: tuple[int, ...] = ()) -> None:
        """Make everything changed since the last commit durable, and the lease new.

        Raises `Fenced` when the row is another's, and with `heed` `Asked` when an operator's request waits; then the
        row is again as it was last committed.
        """
        now, sent = self.now(), self.world.clock.boottime()
        row = self.row
        if row.owner is not None:
            row = replace(row, next_at=now + self.world.timing.lease)
        change = Change(
            events=(*self._events, *events),
            credential=self.credential if self.credential != self._credential_committed else None,
            keys=tuple(self._learned.values()),
            answered=answered,
        )
        requests = self.world.journal.commit(row, now, change, heed=heed)
        if requests:
            self.forget()
            raise Asked(requests)
        self.row = self._committed = row
        self._credential_committed = self.credential
        self._events, self._learned = [], {}
        self._expires = sent + (self.world.timing.lease - self.world.timing.request).total_seconds()
        self.world.observer.committed(row, change.events)

    def forget(self) -> None:
        """Drop what was changed since the last commit; what became of effects stays for the trail, as it happened."""
        self.row = self._committed
        self._events = [event for event in self._events if event.kind is EventKind.OUTCOME]
        self._learned = {}
        self._load()

    def save(self, row: Rotation) -> None:
        """The end of a step. A row with nothing to do now is committed and released.

        One that goes on becomes durable with its next intent: until then a crash only has the step run again, as any
        step may be. A slow one is committed nevertheless, so that each step begins with most of its lease.
        """
        before = self.row.phase
        if row.phase is not before:
            seconds = (row.since - self.row.since).total_seconds()
            detail = {"from": before.value, "seconds": f"{seconds:.3f}"}
            if row.problem:
                detail["why"] = row.problem.message
            self._events.append(Event(kind=EventKind.PHASE, action="phase", subject=row.phase.value, detail=detail))
        done = row.phase.terminal or row.phase is Phase.STUCK or row.next_at > self.now()
        self.row = replace(row, owner=None) if done else row
        if done or self._slow:
            self.commit()

    def renew(self) -> None:
        """Take a new lease, and make what is known so far durable with it."""
        self.commit()

    def release(self) -> None:
        """Give a claim back in good order, so that whoever comes next need not wait for its lease."""
        self.row = replace(self.row, owner=None, next_at=self.now())
        self.commit(heed=False)

    @property
    def committed(self) -> Rotation:
        """The row as the journal has it, as far as is known here."""
        return self._committed

    # -- looking -------------------------------------------------------------------------------------------------

    def read(self, publication: Publication, place: Place) -> Stored:
        """What a place of this store holds."""
        return self.world.stores[publication.store].read(place)

    def read_together(self, reads: Sequence[Read]) -> tuple[Stored | Failure, ...]:
        """What these places hold, asked at the same time; of each that does not answer, why."""
        stores = self.world.stores
        return self.world.together.run([partial(stores[each.publication.store].read, each.place) for each in reads])

    def offers(self, publication: Publication) -> StoreCapabilities:
        """What the store can do."""
        return self.world.stores[publication.store].capabilities()

    def reads(self, publication: Publication) -> bool:
        """Whether the store gives values back, and keeps values of ours."""
        return self.offers(publication).readable

    def keys(self) -> tuple[Key, ...]:
        """The principal's keys as listed; where the provider lists none, those that the journal knows alive."""
        if not self.capabilities.lists:
            return tuple(Key(id=each.key_id, state=KeyState.ENABLED) for each in self.known.values() if each.alive)
        return self.world.provider.keys(self.spec.principal)

    def verify(self, value: Secret) -> Verdict:
        """What the provider says to a value."""
        return self.world.provider.verify(self.spec.principal, value)

    def identify(self, value: Secret) -> str | None:
        """The id of the key with this value, if the provider tells, or if its id follows from the value."""
        if not self.capabilities.lists:
            return unlisted_id(self.fingerprint(value))
        if not self.capabilities.identifies:
            return None
        return self.world.provider.identify(self.spec.principal, value)

    def probe(self, value: Secret) -> Verdict:
        """The verdict that proofs rest on: the engine's own request where there is a probe, else the driver's word."""
        if self.capabilities.probe is None:
            return self.verify(value)
        return self.world.prober.probe(self.capabilities.probe, value)

    # -- effects -------------------------------------------------------------------------------------------------

    def write(
        self,
        action: str,
        publication: Publication,
        place: Place,
        fields: Mapping[str, str],
        expected: str,
        *,
        heed: bool = True,
    ) -> str:
        """Compare-and-set a place; the version was read before, and nothing is read in between.

        `heed` False: neither a hold nor an operator's request comes first, because the value is in memory alone.
        """
        write = Write(action=action, publication=publication, place=place, fields=fields, expected=expected)
        (answer,) = self.write_together([write], heed=heed)
        if isinstance(answer, Failure):
            raise answer
        return answer

    def write_together(self, writes: Sequence[Write], *, heed: bool = True) -> tuple[str | Failure, ...]:
        """`write` to several places at the same time, all intents in one commit; of each the new version, or why not.

        Raises `LeaseOver` when one could not begin in time; then nothing more may be done under this claim.
        """
        sends = [self._sending(each) for each in writes]
        return self._effects([each.intent for each in writes], sends, writes=writes, heed=heed)

    def _sending(self, write: Write) -> Callable[[], str]:
        store = self.world.stores[write.publication.store]
        return lambda: store.write(write.place, write.fields, write.expected)

    def remove(self, action: str, publication: Publication, place: Place, expected: str) -> None:
        """Remove a place."""
        store = self.world.stores[publication.store]
        subject = f"{publication.store}:{publication.ref}"
        self._effect(action, subject, lambda: store.remove(place, expected), place=place.kind.value)

    def set_state(self, action: str, key_id: str, state: KeyState) -> None:
        """Disable, enable or delete one key. Rule 6 is asked by the caller (`rotator.engine.killing`)."""
        provider, principal = self.world.provider, self.spec.principal
        self._effect(action, key_id, lambda: provider.set_state(principal, key_id, state), state=state.value)

    def ask(self, action: str, key_id: str, words: str) -> None:
        """Ask a person to do something with a key: an effect like any other, for nobody can take it back."""
        observer, name = self.world.observer, self.spec.name
        self._effect(action, key_id, lambda: observer.alert(action, name, words))

    def mint(self, request: MintRequest) -> Minted:
        """One mint under this fence, its key id committed before anything else. Raises `Pause` for a second one."""
        row, now = self.row, self.now()
        if row.fence in row.mint_fences:
            raise Pause(Waiting(until=now, note="a mint needs a fence of its own"), failing=True)
        self.update(mint_fences=(*row.mint_fences, row.fence), first_mint_at=row.first_mint_at or now, last_mint_at=now)
        if not self.capabilities.strategy.overlap:
            self.update(beyond_pivot=True, outage=True)
        provider, principal = self.world.provider, self.spec.principal
        subject = request.slot or self.spec.provider
        try:
            minted = self._effect("mint", subject, lambda: provider.mint(principal, request))
        except Ambiguous:
            self.update(clean=False)
            raise
        self._minted.append(minted.value)
        at = self.row.last_mint_at or now
        self.update(new_key=minted.key_id, minted_at=at)
        self.learn(
            KnownKey(
                key_id=minted.key_id,
                credential=self.spec.name,
                origin=Origin.MINTED,
                since=at,
                fingerprint=self.fingerprint(minted.value),
                rotation=self.row.id,
            )
        )
        self.commit(heed=False)
        return minted

    def tell(self, consumers: Sequence[str], news: News) -> Mapping[str, Heard | Failure]:
        """Tell these consumers, all intents in one commit; of each what it answered, or why it did not hear."""
        detail = {"what": news.what.value}
        self._intend(*(Event(kind=EventKind.INTENT, action="tell", subject=name, detail=detail) for name in consumers))
        answers = self.world.consumers.tell(consumers, news)
        for name in consumers:
            answer = answers[name]
            self._outcome("tell", name, "ok" if isinstance(answer, Heard) else type(answer).__name__.lower())
        return answers

    def _effect(self, action: str, subject: str, effect: Callable[[], T], *, heed: bool = True, **detail: str) -> T:
        intent = Event(kind=EventKind.INTENT, action=action, subject=subject, detail=detail)
        (answer,) = self._effects([intent], [effect], heed=heed)
        if isinstance(answer, Failure):
            raise answer
        return answer

    def _effects(
        self,
        intents: Sequence[Event],
        effects: Sequence[Callable[[], T]],
        *,
        writes: Sequence[Write] = (),
        heed: bool = True,
    ) -> tuple[T | Failure, ...]:
        """Every effect at the same time, behind one commit of all intents; what became of each goes into the trail."""
        self._intend(*intents, writes=writes, heed=heed)
        answers = self.world.together.run([self._in_time(each) for each in effects])
        for intent, answer in zip(intents, answers, strict=True):
            result = type(answer).__name__.lower() if isinstance(answer, Failure) else "ok"
            self._outcome(intent.action, intent.subject, result)
        return answers

    def _in_time(self, effect: Callable[[], T]) -> Callable[[], T]:
        """The effect, which may have to wait for a thread: it looks at the lease once more."""
        clock, expires = self.world.clock, self._expires

        def act() -> T:
            if clock.boottime() > expires:
                raise LeaseOver
            return effect()

        return act

    def _intend(self, *intents: Event, writes: Sequence[Write] = (), heed: bool = True) -> None:
        """Commit intents, with what the row says of these writes; between this and the effect stands nothing."""
        self._within_lease()
        if heed and self.credential.held and not self.row.rules.emergency:
            raise Pause(self.wait(self.world.timing.hold_poll, WaitFor.PERSON, ON_HOLD))
        self._mean(writes)
        self.commit(*intents, heed=heed)
        self._within_lease()

    def _mean(self, writes: Sequence[Write]) -> None:
        for each in writes:
            self.row = self.row if each.state is None else self.row.with_store(each.state)
            self.credential = self.credential if each.last is None else self.credential.having_written(each.last)

    def _outcome(self, action: str, subject: str, result: str) -> None:
        event = Event(kind=EventKind.OUTCOME, action=action, subject=subject, detail={"result": result})
        self._events.append(event)

    @property
    def _slow(self) -> bool:
        """Whether more than a request's time of the lease is gone."""
        lasts = self.world.timing.lease - 2 * self.world.timing.request
        return self.world.clock.boottime() > self._expires - lasts.total_seconds()

    def _within_lease(self) -> None:
        if self.world.clock.boottime() > self._expires:
            raise LeaseOver
