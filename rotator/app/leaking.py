"""Whose a leaked value is: by fingerprint, then by what stores hold, then by the providers' own word. Nothing is kept.

A provider is shown a value only where it may be its own: one that has the form of another vendor's key is not sent to
anybody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from rotator.adapters.finding.candidates import Seeker
from rotator.app.assembly import Assembly
from rotator.app.knowing import Known, Match, Standing, Trouble, distinct, from_journal, from_stores
from rotator.app.patient import PatientProvider
from rotator.config.errors import ConfigError
from rotator.config.recognise import Form, contains_key, recognise
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure
from rotator.domain.keys import Capabilities
from rotator.domain.secret import Secret
from rotator.ports import Provider

TEXT = "text"
"""The part that a leaked value is held as, until it is known whose it is."""
LONGEST = 64 * 1024
"""Characters of one value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A key that lives at a provider and is no credential's. `console`: where a person ends it, if the driver says.

    `sure`: not where some list could not be had, in which it might be ours.
    """

    provider: str
    key_id: str
    console: str = ""
    sure: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """What is known of one leaked value, the `number`th of those given. `form`: what it looks like, if to anything."""

    number: int
    matches: tuple[Match, ...] = ()
    foreign: Foreign | None = None
    form: Form | None = None
    hint: str = ""
    not_asked: tuple[Trouble, ...] = ()

    @property
    def dead(self) -> bool:
        """Whether every key that it is of is proven dead."""
        return bool(self.matches) and all(each.alive is False for each in self.matches)


@dataclass(slots=True)
class Leaks:
    """Values to be recognised, one after the other; what was read once is not read again."""

    assembly: Assembly
    _known: Known = field(init=False)
    _stores: tuple[Trouble, ...] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._known = from_journal(self.assembly, self.assembly.journal)

    def recognise(self, number: int, value: Secret) -> Leak:
        """Whose the value is. Raises nothing for what does not answer: that is told."""
        form, hint = _form(value)
        leak = Leak(number=number, form=form, hint=hint)
        matches = self._matches(value)
        if not matches:
            if self._stores is None:
                specs = tuple(self.assembly.config.credentials.values())
                self._stores = tuple(from_stores(self.assembly, specs, self._known))
            matches = self._matches(value)
        if matches:
            return replace(leak, matches=matches)
        return replace(self._asked(leak, value), form=form)

    def _matches(self, value: Secret) -> tuple[Match, ...]:
        seeker = Seeker(lambda text: self._known.of(text) or None)
        return distinct(match for _, found in seeker.found(value.reveal(TEXT)) for match in found)

    def _asked(self, leak: Leak, value: Secret) -> Leak:
        """What the providers say, each asked once for each principal."""
        troubles = list(self._stores or ())
        for spec, provider, shown in self._askable(leak, value, troubles):
            try:
                key_id = provider.identify(spec.principal, shown)
            except Failure as failure:
                troubles.append(Trouble(f"provider {spec.provider}", self._without(failure.message, value)))
                continue
            if key_id is not None:
                told = self._whose(spec.provider, key_id, value, troubles)
                if isinstance(told, Foreign):
                    return replace(leak, foreign=told, not_asked=tuple(dict.fromkeys(troubles)))
                return replace(leak, matches=told)
        return replace(leak, not_asked=tuple(dict.fromkeys(troubles)))

    def _whose(self, provider: str, key_id: str, value: Secret, troubles: list[Trouble]) -> tuple[Match, ...] | Foreign:
        """Whose key an id is that a provider tells: the journal's word, an exclusive principal's, a mark; else foreign.

        Raises nothing: a list that cannot be had shows no mark, and is among `troubles`.
        """
        ours = tuple(each for each in self._known.of_key_id(key_id) if each.provider == provider)
        if ours:
            return ours
        console, sure = "", True
        for spec in self.assembly.config.credentials.values():
            if spec.provider != provider:
                continue
            try:
                driver = PatientProvider(self.assembly.provider(provider))
                console = driver.capabilities(spec.principal).console_url or console
                listed = next((key for key in driver.keys(spec.principal) if key.id == key_id and key.live), None)
            except (ConfigError, Failure) as error:
                troubles.append(Trouble(f"provider {provider}", self._without(error.message, value)))
                sure = False
                continue
            if listed is None:
                continue
            if spec.principal.exclusive or self.assembly.installation.marker().read(spec.name, listed.mark) is not None:
                return (_found(spec, key_id),)
        return Foreign(provider=provider, key_id=key_id, console=console, sure=sure)

    def _askable(
        self, leak: Leak, value: Secret, troubles: list[Trouble]
    ) -> Iterator[tuple[Credential, Provider, Secret]]:
        config = self.assembly.config
        done: set[tuple[str, str]] = set()
        for spec in config.credentials.values():
            at = (spec.provider, spec.principal.name)
            named = f"provider {spec.provider}"
            driver = config.providers[spec.provider].driver
            foreign = leak.form is not None and leak.form.driver not in (None, driver, "assisted", "rest")
            if at in done or foreign:
                continue
            done.add(at)
            try:
                provider = PatientProvider(self.assembly.provider(spec.provider))
                offers = provider.capabilities(spec.principal)
            except (ConfigError, Failure) as error:
                troubles.append(Trouble(named, self._without(error.message, value)))
                continue
            shown = list(_as_values(offers, value)) if offers.identifies else []
            if not offers.identifies:
                troubles.append(Trouble(named, "it does not tell whose a value is"))
            elif not shown:
                lacks = ", ".join(part for part in offers.parts if part != offers.secret_part)
                troubles.append(Trouble(named, f"it would need {lacks} besides"))
            for each in shown:
                yield spec, provider, each

    @staticmethod
    def _without(message: str, value: Secret) -> str:
        return message.replace(value.reveal(TEXT), "…")


def _form(value: Secret) -> tuple[Form | None, str]:
    text = value.reveal(TEXT)
    form = recognise(text)
    return (form, form.hint(text)) if form is not None else (contains_key(text), "")


def _as_values(offers: Capabilities, value: Secret) -> Iterator[Secret]:
    """The text as a value of this provider: by itself, or the password of each slot's login."""
    text = value.reveal(TEXT)
    others = [part for part in offers.parts if part != offers.secret_part]
    if not others:
        yield Secret({offers.secret_part: text})
    elif others == ["user"]:
        for slot in offers.slots:
            yield Secret({"user": slot, offers.secret_part: text})


def _found(spec: Credential, key_id: str) -> Match:
    return Match(credential=spec.name, provider=spec.provider, key_id=key_id, standing=Standing.OLD, alive=True)


def read_values(lines: Sequence[str]) -> tuple[dict[int, Secret], tuple[int, ...]]:
    """Each line that is not blank as a value, by its number among them, the same one once; and which are too long."""
    texts = [line.strip() for line in lines if line.strip()]
    values: dict[Secret, int] = {}
    for number, text in enumerate(texts, 1):
        if len(text) <= LONGEST:
            values.setdefault(Secret({TEXT: text}), number)
    too_long = tuple(number for number, text in enumerate(texts, 1) if len(text) > LONGEST)
    return {number: value for value, number in values.items()}, too_long
