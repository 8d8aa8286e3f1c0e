"""Keys of a profile in a file that the operator names.

https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html and …/feature-process-credentials.html. A profile may
name a program that prints keys; it is run only where the settings say so, because whoever writes that file runs code.
"""

from __future__ import annotations

import configparser
import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.aws.access import Keys
from rotator.adapters.stores.aws.answers import Need, refused_keys
from rotator.adapters.stores.aws.sessions import session_keys
from rotator.domain.failures import Denied, Failure, Transient
from rotator.domain.reach import Reach
from rotator.domain.times import quoted

_NO_KEYS = (ValueError, KeyError, TypeError, AttributeError, RuntimeError)
"""What reading a program's output may raise, and looking for a home."""


def profile_reach(file: Path, environment: Mapping[str, str]) -> Reach:
    """The file; where it is beneath a home, only who has that variable can say where."""
    found = str(file).replace("~", environment.get("HOME", "~"), 1)
    return Reach(paths=(found,) if found.startswith("/") else (), variables=("HOME",))


class Profile:
    """One profile of one file; opens that file, and runs its program where that is allowed."""

    def __init__(self, name: str, file: Path, *, may_run: bool) -> None:
        self._name = name
        self._file = file
        self._may_run = may_run

    def fetch(self, deadline: Deadline) -> Keys:
        """The file is read anew each time. Raises Denied where it or the profile holds no keys."""
        profile = self._read()
        if "aws_access_key_id" in profile and "aws_secret_access_key" in profile:
            token = profile.get("aws_session_token") or None
            return Keys(profile["aws_access_key_id"], profile["aws_secret_access_key"], token)
        if "credential_process" not in profile:
            raise self._denied("has no keys", "write aws_access_key_id and aws_secret_access_key, or use method: role")
        if not self._may_run:
            raise self._denied("wants to run a program", "set `credential_process: allowed` if you trust that file")
        return self._run(profile["credential_process"], deadline)

    def refused(self, need: Need, where: str) -> Failure:
        """The profile's key is wrong, inactive or deleted."""
        return refused_keys(need, where, f"put valid keys into profile {self._name} of {self._file}")

    def _read(self) -> Mapping[str, str]:
        parser = configparser.RawConfigParser(default_section="")
        try:
            parser.read_string(self._file.expanduser().read_text())
        except (OSError, ValueError, RuntimeError, configparser.Error):
            hint, permission = "look at the file and its rights", f"read {self._file}"
            failure = Denied(f"{self._file} cannot be read as a file of profiles", hint, permission=permission)
        else:
            found = next((each for each in (self._name, f"profile {self._name}") if parser.has_section(each)), None)
            if found is not None:
                return dict(parser.items(found))
            failure = self._denied("does not exist", "look at the sections of that file")
        raise failure

    def _run(self, command: str, deadline: Deadline) -> Keys:
        try:
            arguments = shlex.split(command)
            done = subprocess.run(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=deadline.remaining("the credential process"),
                env={"PATH": os.defpath, "HOME": str(Path.home())},
                check=True,
            )
            found = json.loads(done.stdout)
            if found.get("Version") == 1:
                return session_keys(found)
        except subprocess.TimeoutExpired:
            message = f"the program of profile {quoted(self._name)} took too long"
            late: Failure | None = Transient(message, "it is tried again")
        except (OSError, *_NO_KEYS, subprocess.SubprocessError) as error:
            late = self._confined() if _forbidden(error) else None
        else:
            late = None
        # Outside of the handlers, because what they hold has the program's output.
        raise late or self._denied("names a program that printed no keys", "run it, and look at what it prints")

    def _confined(self) -> Denied:
        """It is no fault of the program's."""
        hint = "set `isolation: process` for this store, or write the keys into the profile"
        return self._denied("names a program, and a driver in a sandbox runs none", hint)

    def _denied(self, what: str, hint: str) -> Denied:
        message = f"profile {quoted(self._name)} of {self._file} {what}"
        return Denied(message, hint, permission=f"keys in profile {self._name}")


def _forbidden(error: Exception) -> bool:
    """Whether no program may be started at all: a sandbox has neither processes nor a /dev/null to write to."""
    return isinstance(error, PermissionError) and error.filename in (None, os.devnull)
