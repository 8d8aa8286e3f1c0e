"""What every driver of a JSON API must do when things go wrong, as tests to inherit, on its stand-in on a real socket.

@pytest.mark.stand_in(acme.NAME)
class TestBadInput(HttpBadInput):
    @pytest.fixture
    def scene(self) -> Iterator[Scene]: ...
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

import pytest

from rotator.domain.credential import Principal
from rotator.domain.failures import Ambiguous, Denied, Failure, Permanent, Transient
from rotator.domain.keys import KeyState, Minted, MintRequest
from rotator.domain.secret import Secret
from rotator.ports import Provider
from rotator.testing.provider_trial import Trial
from rotator.testing.wired import WiredProvider
from tests.sdk.canned_server import Canned, reply
from tests.servers import Unavailable
from tests.servers.api import Reply
from tests.servers.proxy import Fault, FaultProxy, Kind, met
from tests.servers.vendor_description import DescribedStandIn, Description

TIMEOUT = timedelta(seconds=60)
MANY = 10_000
HTML = Reply(200, content=b"<!doctype html><p>sign in", headers={"Content-Type": "text/html"})
UGLY = 'a\nb\x1b[31m\x00$(rm -rf /)`id`;<script>alert("x")</script>\u202e' + "y" * 5_000
MINTS_THAT_ARRIVE = {Kind.RESET: 0, Kind.BLACKHOLE: 0, Kind.DROP_RESPONSE: 1, Kind.HANG_RESPONSE: 1}


class Drive(Protocol):
    """Makes the driver with a good admin credential, for an API at this address."""

    def __call__(self, base_url: str, timeout: timedelta = TIMEOUT) -> Provider: ...


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One API, and how its driver speaks to it.

    mint, look, verify, delete: how the lines of these requests begin. admin: texts that no failure may show.
    permission: a word of what `Denied` names. add: a key with this name. minted: what a mint answers that was asked
    so, with this text in place of the new key's value. nobody: an id that no key has.
    """

    server: DescribedStandIn
    drive: Drive
    principal: Principal
    mint: str
    look: str
    verify: str
    delete: str
    admin: tuple[str, ...]
    permission: str
    add: Callable[[str], object]
    minted: Callable[[MintRequest, str], Reply]
    nobody: str = "0" * 64
    bad_values: tuple[str, ...] = ("sk-lf-two\nlines-of-a-key", "", "ends-in-a-space ", "sk-lf-\x00" + "z" * 20)
    asked: list[MintRequest] = field(default_factory=list)

    @property
    def provider(self) -> Provider:
        return self.drive(self.server.url)

    def request(self, provider: Provider | None = None) -> MintRequest:
        """A mint as the engine asks for it; its value, if we choose it, is one of those that no failure may show."""
        request = Trial(provider or self.provider, self.principal).request()
        self.asked.append(request)
        return request

    def arrived(self, start: str) -> int:
        return len([line for line in self.server.lines() if line.startswith(start)])

    def known(self) -> int:
        return len(self.provider.keys(self.principal))

    def failure(self, call: Callable[[], object]) -> Failure:
        """How it fails; nothing secret is in the failure, and its text has the common tone."""
        with pytest.raises(Failure) as caught:
            call()
        failed, seen = caught.value, "".join(traceback.format_exception(caught.value))
        error: BaseException | None = failed
        while error is not None:
            seen += repr(error) + repr(vars(error)) + repr(error.args)
            error = error.__cause__ or error.__context__
        chosen = [request.chosen for request in self.asked if request.chosen is not None]
        secrets = {text for value in chosen for text in value.parts().values()} | set(self.admin)
        assert not [True for text in secrets if text in seen], "a failure shows a secret"
        assert failed.message.isprintable()
        assert not failed.message.endswith(".")
        assert len(failed.message) < 500
        return failed


class HttpBadInput:
    """Each test has a fresh API."""

    @pytest.fixture
    def scene(self) -> Scene:
        """The API, and its driver."""
        raise NotImplementedError

    # -- what a mint may cost ------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("kind", Kind)
    @pytest.mark.parametrize("warm", [False, True], ids=["first", "later"])
    def test_a_mint_is_at_most_one_request_at_the_server(self, scene: Scene, kind: Kind, warm: bool) -> None:
        fault = Fault(kind=kind, request=scene.mint.encode())

        def mint(proxy: FaultProxy, timeout: timedelta) -> tuple[Failure, MintRequest, int]:
            provider = scene.drive(f"http://{scene.server.host}:{proxy.port}", timeout)
            if warm:  # on a connection that was used before, clients are tempted to send again
                with suppress(Transient):
                    provider.keys(scene.principal)
            request, before = scene.request(provider), scene.arrived(scene.mint)
            return scene.failure(lambda: provider.mint(scene.principal, request)), request, before

        failed, request, before = met(scene.server.host, scene.server.port, fault, mint)
        assert type(failed) is Ambiguous
        assert scene.arrived(scene.mint) - before == MINTS_THAT_ARRIVE[kind]
        marks = [key.mark for key in scene.provider.keys(scene.principal)]
        assert marks.count(request.mark) == MINTS_THAT_ARRIVE[kind]

    @pytest.mark.parametrize("reply_", [Reply(500, {}), Reply(502, {}), HTML, Reply(200, content=b'{"id": ')], ids=str)
    def test_a_mint_that_had_its_effect_and_says_something_else_is_ambiguous(self, scene: Scene, reply_: Reply) -> None:
        request = scene.request()
        scene.server.spoil(scene.mint, reply_)
        assert type(scene.failure(lambda: scene.provider.mint(scene.principal, request))) is Ambiguous
        assert scene.arrived(scene.mint) == 1
        assert [key.mark for key in scene.provider.keys(scene.principal)] == [request.mark]

    def test_a_minted_value_that_fits_nowhere_is_never_returned(self, scene: Scene) -> None:
        for bad in scene.bad_values:
            request = scene.request()
            scene.server.fail(scene.mint, scene.minted(request, bad))
            failed = scene.failure(lambda: scene.provider.mint(scene.principal, request))  # noqa: B023
            assert type(failed) is Ambiguous
            assert "z" * 20 not in repr(vars(failed))

    def test_a_mint_whose_answer_is_of_another_form_is_ambiguous(self, scene: Scene) -> None:
        status = scene.minted(scene.request(), "x").status
        bodies: list[Any] = [{}, [], None, "text", {"id": 7, "token": [], "key": {"id": None}}]
        for body in bodies:
            request = scene.request()
            scene.server.fail(scene.mint, Reply(status, body))
            failed = scene.failure(lambda: scene.provider.mint(scene.principal, request))  # noqa: B023
            assert type(failed) is Ambiguous

    def test_a_minted_key_has_the_id_and_the_mark_that_the_list_shows(self, scene: Scene) -> None:
        request = scene.request()
        minted: Minted = scene.provider.mint(scene.principal, request)
        (key,) = scene.provider.keys(scene.principal)
        assert (key.id, key.mark) == (minted.key_id, request.mark)

    def test_every_kind_of_request_is_in_the_vendors_own_description(self, scene: Scene) -> None:
        try:
            scene.server.description.required()
        except Unavailable as missing:
            pytest.skip(str(missing))
        minted = scene.provider.mint(scene.principal, scene.request())
        for start, call in self.calls(scene, minted).items():
            call()
            assert scene.arrived(start) >= 1
        scene.provider.check_admin(scene.principal)
        assert scene.server.unaccepted == []

    # -- refusals ------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(("after", "seconds"), [({}, None), ({"Retry-After": "7"}, 7)], ids=["", "retry-after"])
    def test_a_throttle_is_transient_and_nothing_was_made(
        self, scene: Scene, after: dict[str, str], seconds: int | None
    ) -> None:
        throttle = Reply(429, {"error": {"message": "slow down"}}, after)
        for start, call in self.calls(scene).items():
            before = scene.arrived(start)
            scene.server.fail(start, throttle)
            failed = scene.failure(call)
            assert isinstance(failed, Transient)
            assert failed.throttled
            assert failed.retry_after == (None if seconds is None else timedelta(seconds=seconds))
            assert scene.arrived(start) == before + 1, "a throttle is left to the rate limit"
        assert scene.known() == 0

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_refused_admin_credential_is_denied_and_the_permission_named(self, scene: Scene, status: int) -> None:
        for start, call in self.calls(scene).items():
            if start != scene.verify:
                scene.server.fail(start, Reply(status, {"error": {"message": "you may not"}}))
                failed = scene.failure(call)
                assert isinstance(failed, Denied)
                assert scene.permission in failed.permission
        assert scene.known() == 0

    def test_what_a_server_repeats_of_a_secret_is_not_in_the_failure(self, scene: Scene) -> None:
        for status in (400, 403, 409, 422, 500):
            request = scene.request()
            chosen = request.chosen.parts().values() if request.chosen is not None else ()
            told = " ".join([*scene.admin, *chosen, request.mark])
            scene.server.fail(scene.mint, Reply(status, {"error": {"message": told}, "message": told}))
            scene.failure(lambda: scene.provider.mint(scene.principal, request))  # noqa: B023
        assert scene.known() == 0

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_a_redirect_is_not_followed_and_no_credential_leaves(self, scene: Scene, status: int) -> None:
        with Canned([reply(200, {})]) as elsewhere:
            away = Reply(status, {}, {"Location": f"http://localhost:{elsewhere.port}/"})
            for start, call in self.calls(scene).items():
                scene.server.fail(start, away)
                assert type(scene.failure(call)) is Permanent
            assert elsewhere.connections == 0
        assert scene.known() == 0

    # -- trouble -------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("trouble", [Reply(500, {}), Reply(503, {}), HTML], ids=["500", "503", "html"])
    def test_trouble_says_nothing_of_a_key(self, scene: Scene, trouble: Reply) -> None:
        minted = scene.provider.mint(scene.principal, scene.request())
        for start, call in self.calls(scene, minted).items():
            if start != scene.mint:
                scene.server.fail(start, trouble, times=3)
                assert type(scene.failure(call)) is Transient
                scene.server.faults.clear()

    def test_a_deletion_is_one_request_however_it_ends(self, scene: Scene) -> None:
        minted = scene.provider.mint(scene.principal, scene.request())
        scene.server.fail(scene.delete, Reply(503, {}))
        deleting = self.calls(scene, minted)[scene.delete]
        scene.failure(deleting)
        assert scene.arrived(scene.delete) == 1
        assert scene.known() == 1
        deleting()
        assert scene.arrived(scene.delete) == 2
        assert scene.known() == 0

    def test_a_value_that_fits_into_no_header_is_not_called_invalid(self, scene: Scene) -> None:
        provider = scene.provider
        parts = provider.capabilities(scene.principal).parts
        for text in ("two\nlines", "", "ends in a space ", "ümlaut", "nul\x00"):
            value = Secret(dict.fromkeys(parts, text))
            assert type(scene.failure(lambda: provider.verify(scene.principal, value))) is Permanent  # noqa: B023
        assert scene.arrived(scene.verify) == 0

    # -- lists ---------------------------------------------------------------------------------------------------------

    def test_ten_thousand_keys_are_all_listed(self, scene: Scene) -> None:
        # what one page may look like the other tests hold against the description; for all of these it takes 20 s
        vars(scene.server)["description"] = Description("none.json")
        for number in range(MANY):
            scene.add(f"key {number}")
        keys = scene.provider.keys(scene.principal)
        assert len({key.id for key in keys}) == MANY
        assert {key.mark for key in keys} == {f"key {number}" for number in range(MANY)}

    def test_what_others_write_into_names_is_bounded_and_one_line(self, scene: Scene) -> None:
        scene.add(UGLY)
        (key,) = WiredProvider(scene.provider).keys(scene.principal)
        for text in (key.mark or "", key.hint):
            assert text.isprintable()
            assert len(text) < 500
        assert (key.mark or "").startswith("a\N{REPLACEMENT CHARACTER}b")

    @pytest.mark.parametrize("body", [{}, [], None, "text", {"keys": {}, "data": {}, "apiKeys": {}}], ids=str)
    def test_a_list_of_another_form_is_transient(self, scene: Scene, body: Any) -> None:
        scene.server.fail(scene.look, Reply(200, body))
        assert type(scene.failure(lambda: scene.provider.keys(scene.principal))) is Transient

    # -- the calls that there are --------------------------------------------------------------------------------------

    def calls(self, scene: Scene, minted: Minted | None = None) -> dict[str, Callable[[], object]]:
        """Of each kind of request one call that makes it first, by how its line begins."""
        provider, request = scene.provider, scene.request()
        value = minted.value if minted else request.chosen or Secret({"secret": "a-value-that-nobody-has-0123456789"})
        key_id = minted.key_id if minted else scene.nobody
        return {
            scene.mint: lambda: provider.mint(scene.principal, request),
            scene.look: lambda: provider.keys(scene.principal),
            scene.verify: lambda: provider.verify(scene.principal, value),
            scene.delete: lambda: provider.set_state(scene.principal, key_id, KeyState.DELETED),
        }
