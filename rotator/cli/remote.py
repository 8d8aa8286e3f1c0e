"""`--server`: the same words, run by the daemon; what it says is said here, and its exit code is ours.

Files that are named here are read here. No word is a secret: values go as standard input does.
"""

from __future__ import annotations

import argparse
import base64
import getpass
import ipaddress
import json
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rotator.cli.errors import Told
from rotator.cli.rights import key, row_of

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

LARGEST = 8 * 2**20
"""Bytes of standard input, or of a file that is sent instead."""
LINE = 2**20
QUIET = 120.0
"""Seconds without a sign of life; the server gives one every few."""
TOKEN_FILE = "ROTATOR_TOKEN_FILE"  # noqa: S105 - the name of a variable


def run(args: argparse.Namespace, words: Sequence[str]) -> int:
    """Have the command run; returns its exit code. `words`: as typed, with the verb first. Raises `Told`."""
    url = address(args.server)
    row = row_of(args)
    sent, stdin = without_server(words), b""
    if row.reads(args):
        sent, stdin = _input(args, sent)
    body = {"prog": args.prog, "words": sent, "stdin": base64.b64encode(stdin).decode()}
    return replay(_asked(url, token(), body))


def address(given: str) -> str:
    """The server's URL. Raises `Told` for one that would carry the token in clear text through a network."""
    try:
        url = urlsplit(given)
        port = f":{url.port}" if url.port is not None else ""
    except ValueError:
        raise Told("--server is no URL", "write --server https://rotator.internal:8750") from None
    if url.scheme not in ("https", "http") or not url.hostname or url.path not in ("", "/") or url.query:
        raise Told("--server is no URL of a server", "write --server https://rotator.internal:8750")
    if url.username is not None or url.password is not None:
        raise Told("--server holds a login", f"name a file with the token as {TOKEN_FILE}")
    if url.scheme == "http" and not _loopback(url.hostname):
        raise Told("--server would carry the token in clear text", "write https://, or a tunnel to 127.0.0.1")
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return f"{url.scheme}://{host}{port}"


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def token() -> str:
    """From the file that the environment names, else a prompt; never from an argument. Raises `Told`."""
    named = os.environ.get(TOKEN_FILE)
    if not named:
        if not sys.stdin.isatty():
            raise Told("--server needs a token", f"export {TOKEN_FILE}=FILE; `rotator token new` there makes one")
        return getpass.getpass("token (not shown): ").strip()
    try:
        with Path(named).open() as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(64 * 1024).strip()
    except (OSError, UnicodeDecodeError):
        raise Told(f"the file that {TOKEN_FILE} names cannot be read", "check the path and its permissions") from None
    if stat.S_ISREG(mode) and mode & (stat.S_IROTH | stat.S_IWOTH):
        raise Told(f"the file that {TOKEN_FILE} names may be read or written by everybody", "chmod o-rw it")
    if not text or not text.isascii() or not text.isprintable():
        raise Told(f"the file that {TOKEN_FILE} names holds no token", "put the token into it, and nothing else")
    return text


def without_server(words: Sequence[str]) -> list[str]:
    """The words without `--server URL`."""
    kept: list[str] = []
    skip = False
    for at, word in enumerate(words):
        if skip:
            skip = False
        elif word == "--":
            return [*kept, *words[at:]]
        elif word == "--server":
            skip = True
        elif not word.startswith("--server="):
            kept.append(word)
    return kept


# -- what is read here -----------------------------------------------------------------------------------------------


def _input(args: argparse.Namespace, words: list[str]) -> tuple[list[str], bytes]:
    if key(args) == "find" and list(args.paths) != ["-"]:
        if len(args.paths) > 1 or not Path(args.paths[0]).is_file():
            hint = "pack it: tar c FOLDER | rotator --server URL find -"
            raise Told("with --server find reads one file or standard input", hint)
        return ["-" if word == args.paths[0] else word for word in words], _bounded(args.paths[0])
    if not sys.stdin.isatty():
        return words, _bounded(None)
    lines = [getpass.getpass("value (not shown): ")]
    while lines[-1]:
        lines.append(getpass.getpass("another line (not shown, empty for none): "))
    return words, "".join(f"{line}\n" for line in lines[:-1]).encode()


def _bounded(path: str | None) -> bytes:
    try:
        if path is None:
            buffer = getattr(sys.stdin, "buffer", None)
            data = buffer.read(LARGEST + 1) if buffer is not None else sys.stdin.read(LARGEST + 1).encode()
        else:
            with Path(path).open("rb") as file:
                data = file.read(LARGEST + 1)
    except OSError as error:
        raise Told(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from None
    if len(data) > LARGEST:
        raise Told(f"more than {LARGEST // 2**20} MiB are not sent", "run it on the server's machine, or on less")
    return bytes(data)


# -- asking and replaying --------------------------------------------------------------------------------------------


def _asked(url: str, bearer: str, body: dict[str, Any]) -> BaseHTTPResponse:
    import urllib3

    http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=10, read=QUIET))
    headers = {"Authorization": f"Bearer {bearer}", "Accept": "application/x-ndjson"}
    try:
        answer = http.request(
            "POST", f"{url}/v1/commands", json=body, headers=headers, redirect=False, preload_content=False
        )
    except urllib3.exceptions.SSLError:
        hint = "it is not believed; a private authority goes into SSL_CERT_FILE"
        raise Told("the server's certificate cannot be verified", hint) from None
    except urllib3.exceptions.HTTPError as error:
        hint = "is the daemon running, and is this its address?"
        raise Told(f"{url} cannot be reached ({type(error).__name__})", hint, code=3) from None
    if answer.status != 200:
        raise _refused(answer)
    return answer


def _refused(answer: BaseHTTPResponse) -> Told:
    try:
        problem = json.loads(answer.read(64 * 1024))
        message, hint = str(problem["detail"]), str(problem["hint"])
    except (ValueError, TypeError, KeyError):
        message, hint = f"the server answered {answer.status}", "is this the address of a rotator?"
    return Told(message, hint, code=3 if answer.status in (429, 500, 502, 503) else 2)


def replay(answer: BaseHTTPResponse) -> int:
    """Say what the command said; its exit code. Raises `Told` where the connection breaks before that."""
    streams = {"out": sys.stdout, "err": sys.stderr}
    for frame in _frames(answer):
        for name, stream in streams.items():
            if isinstance(frame.get(name), str):
                stream.write(_plain(frame[name]))
                stream.flush()
        if isinstance(frame.get("exit"), int):
            return int(frame["exit"])
    hint = "`rotator --server URL status` shows how everything stands"
    raise Told("the connection to the server broke", hint, code=3)


def _frames(answer: BaseHTTPResponse) -> Iterator[dict[str, Any]]:
    import urllib3

    rest = b""
    try:
        for data in answer.stream(16 * 1024):
            *lines, rest = (rest + data).split(b"\n")
            for line in filter(None, lines):
                frame = json.loads(line)
                if isinstance(frame, dict):
                    yield frame
            if len(rest) > LINE:
                return
    except (urllib3.exceptions.HTTPError, ValueError):
        return  # `replay` misses the exit code, and says that it broke


def _plain(text: str) -> str:
    """Nothing that moves a cursor: a server is somebody else."""
    return "".join(each if each.isprintable() or each in "\n\t" else "·" for each in text)
