"""Who is told, and who may tell: what the config says becomes values, and what is wrong is said with its line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from rotator.adapters.calendar import CronCalendar
from rotator.config.errors import ConfigError
from rotator.config.reading import Config, read_config
from rotator.domain.notices import Severity

BASE = "state: sqlite:///r.db\ninstallation: {key: file:k}\n"


def read(folder: Path, text: str, *, lenient: bool = False) -> Config:
    path = folder / "rotator.yaml"
    path.touch(mode=0o600)
    path.write_text(f"{BASE}{text}\n")
    return read_config(path, calendar=CronCalendar(), lenient=lenient)


def test_a_target_has_the_standard_values_where_nothing_is_said(tmp_path: Path) -> None:
    config = read(tmp_path, "notifications: {m: {smtp: {host: mail, from: a@b.c, to: x@y.z}}}")
    found = config.notifications["m"]
    assert (found.severity, found.again, found.resolved) == (Severity.WARNING, timedelta(days=1), True)
    assert found.smtp is not None
    assert (found.smtp.port, found.smtp.tls, found.smtp.to) == (587, "starttls", ("x@y.z",))
    assert config.github_leaks is None


def test_an_address_that_may_be_a_secret_is_not_shown_by_the_value(tmp_path: Path) -> None:
    config = read(tmp_path, "notifications: {ops: {webhook: 'https://h/T0/hunter2'}}")
    assert "hunter2" not in repr(config.notifications)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "notifications: {ops: {}}",
            "notifications.ops says no way to tell anybody",
            "write one of: webhook, smtp, apprise",
        ),
        (
            'notifications: {ops: {webhook: "https://x/y", apprise: file:z}}',
            "notifications.ops says 2 ways at once: webhook, apprise",
            "write one of: webhook, smtp, apprise",
        ),
        (
            'notifications: {ops: {webhook: "https://x/y", secret: hunter2}}',
            "notifications.ops.secret is not a reference; a secret does not belong into the config",
            "write file:PATH, env:NAME or STORE:REF#FIELD",
        ),
        (
            'notifications: {ops: {apprise: "slack://hunter2/hunter3"}}',
            "notifications.ops.apprise is not a reference; a secret does not belong into the config",
            "write file:PATH, env:NAME or STORE:REF#FIELD",
        ),
        (
            'notifications: {ops: {webhook: "https://x/y", kinds: [stukc]}}',
            "nobody is told of 'stukc'",
            "did you mean stuck?",
        ),
        (
            'notifications: {ops: {webhook: "https://x/y", again: daily}}',
            "notifications.ops.again: 'daily' is not a duration",
            "write a number and s, m, h or d, like 90s or 30d",
        ),
        (
            'notifications: {ops: {webhook: "https://x/y", sevrity: info}}',
            "'sevrity' is not known in notifications.ops",
            "did you mean severity?",
        ),
        (
            "notifications: {m: {smtp: {host: mail, form: a@b.c, to: a@b.c}}}",
            "'form' is not known in notifications.m.smtp",
            "did you mean from?",
        ),
        (
            'notifications: {m: {smtp: {host: mail, from: "a@b\\nBcc: c@d", to: a@b}}}',
            "notifications.m.smtp.from is no address of a mailbox",
            "write it like rotator@example.org, without a name",
        ),
        (
            'notifications: {m: {smtp: {host: mail, from: a@b.c, to: [a@b.c, "<x@y>"]}}}',
            "notifications.m.smtp.to.1 is no address of a mailbox",
            "write it like rotator@example.org, without a name",
        ),
        (
            "notifications: {m: {smtp: {host: mail.internal, tls: none-on-loopback-only, from: a@b.c, to: a@b.c}}}",
            "notifications.m.smtp: mail.internal is another machine",
            "write starttls or implicit",
        ),
        (
            "notifications: {m: {smtp: {host: mail, port: 99999, from: a@b.c, to: a@b.c}}}",
            "notifications.m.smtp.port is no port",
            "write a number from 1 to 65535",
        ),
        (
            "notifications: {m: {smtp: {host: mail, password: file:x, from: a@b.c, to: a@b.c}}}",
            "notifications.m.smtp has a password and no user",
            "add user: …",
        ),
        (
            "notifications: {m: {smtp: {host: mail, user: x, from: a@b.c, to: a@b.c}}}",
            "notifications.m.smtp has a user and no password",
            "add password: file:PATH",
        ),
        (
            'notifications: {m: {smtp: {host: "a b", from: a@b.c, to: a@b.c}}}',
            "notifications.m.smtp.host is no name of a server",
            "write it like mail.internal",
        ),
        (
            "notifications: {m: {secret: file:x, smtp: {host: mail, from: a@b.c, to: a@b.c}}}",
            "notifications.m.secret belongs to a webhook",
            "smtp has its own settings",
        ),
        (
            'leaks: {github: {keys: "http://api.github.com/meta"}}',
            "leaks.github.keys: 'api.github.com' is asked without encryption",
            "write https://",
        ),
        (
            'leaks: {github: {keys: "https://api.github.com"}}',
            "leaks.github.keys names a host alone",
            "write https://api.github.com/meta/public_keys/secret_scanning",
        ),
        (
            "leaks: {github: {secret: hunter2}}",
            "leaks.github.secret is not a reference; a secret does not belong into the config",
            "write file:PATH, env:NAME or STORE:REF#FIELD",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_without_a_secret(
    text: str, message: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as found:
        read(tmp_path, text)
    assert found.value.message.endswith(f"rotator.yaml:3: {message}")
    assert found.value.hint == hint
    assert "hunter" not in found.value.message + found.value.hint


def test_in_an_emergency_a_target_that_is_wrong_keeps_nothing_from_going(tmp_path: Path) -> None:
    text = "notifications: {bad: {}, ops: {webhook: 'https://h/x'}}\nleaks: {github: {secret: hunter2}}"
    config = read(tmp_path, text, lenient=True)
    assert list(config.notifications) == ["ops"]
    assert config.github_leaks is None
