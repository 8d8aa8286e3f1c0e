"""A process that reads one store as consumers do: `python -m tests.consumers.five.readers`.

Its input: a line with what to read and how, then a line for each time that it is to say what it has counted, and the
end. Two consumers live in it. One reads the store for each call of the provider and calls at once; the other calls with
what it read `keeps` seconds ago, which is what an overlap is for.
"""

from __future__ import annotations

import base64
import json
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import urllib3

REFUSED, HANDS = 401, 6
Document = Mapping[str, str]
Read = Callable[[str], Document]


def from_vault(where: Mapping[str, str]) -> Read:
    """GET of the latest version."""
    pool, headers = urllib3.PoolManager(retries=False), {"X-Vault-Token": where["token"]}

    def read(ref: str) -> Document:
        url = f"{where['address']}/v1/{where['mount']}/data/{ref}"
        found: Document = pool.request("GET", url, headers=headers, timeout=10).json()["data"]["data"]
        return found

    return read


def from_aws(where: Mapping[str, str]) -> Read:
    """GetSecretValue, which gives what is labelled AWSCURRENT."""
    import boto3

    client: Any = boto3.Session().client(
        "secretsmanager",
        region_name=where["region"],
        endpoint_url=where["address"],
        aws_access_key_id=where["key_id"],
        aws_secret_access_key=where["secret"],
    )

    def read(ref: str) -> Document:
        found: Document = json.loads(client.get_secret_value(SecretId=ref)["SecretString"])
        return found

    return read


def from_gcp(where: Mapping[str, str]) -> Read:
    """Access of `latest` or of an alias, over gRPC."""
    import grpc
    from google.cloud import secretmanager_v1 as api
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
        SecretManagerServiceGrpcTransport,
    )

    channel = grpc.insecure_channel(where["grpc"])
    client = api.SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))
    who = [("authorization", f"Bearer {where['token']}")]

    def read(ref: str) -> Document:
        name = f"{where['parent']}/secrets/{ref.replace('/', '--')}/versions/{where['version']}"
        answer = client.access_secret_version(name=name, metadata=who, timeout=10, retry=None)
        found: Document = json.loads(answer.payload.data)
        return found

    return read


def from_kubernetes(where: Mapping[str, str]) -> Read:
    """GET of the Secret, as kubectl does."""
    pool = urllib3.PoolManager(retries=False)
    headers = {"Authorization": f"Bearer {where['token']}", "Accept": "application/json"}

    def read(ref: str) -> Document:
        namespace, _, name = ref.partition("/")
        url = f"{where['address']}/api/v1/namespaces/{namespace}/secrets/{name}"
        data = pool.request("GET", url, headers=headers, timeout=10).json()["data"]
        return {name: base64.b64decode(text).decode() for name, text in data.items()}

    return read


def from_file(where: Mapping[str, str]) -> Read:
    """Open it."""
    root = Path(where["root"])

    def read(ref: str) -> Document:
        found: Document = json.loads((root / ref).read_bytes())
        return found

    return read


def say(line: str) -> None:
    """To who started this process."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


KINDS = {"vault": from_vault, "aws": from_aws, "gcp": from_gcp, "kubernetes": from_kubernetes, "file": from_file}


@dataclass(slots=True)
class Counted:
    """What happened until now. `values`: different ones that were read; `worst`: seconds from a read to its answer.

    `kept` and `kept_refused`: calls with what was read before. `trouble`: what else went wrong, at most ten of it.
    A refusal counts if it came within an overlap from when the value was read: a busy machine may hold a call up.
    """

    reads: int = 0
    refused: int = 0
    values: int = 0
    torn: int = 0
    worst: float = 0.0
    kept: int = 0
    kept_refused: int = 0
    trouble: list[str] = field(default_factory=list)


class Reader:
    """Both consumers of one store; the one that reads always has `HANDS` threads, so that a slow store is no limit."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        self._read = KINDS[order["kind"]](order["where"])
        self._refs: list[str] = order["refs"]
        self._url, self._name = order["url"], order["name"]
        self._pace, self._keeps = float(order["pace"]), float(order["keeps"])
        self._lasts = float(order["lasts"])
        self._pool = urllib3.PoolManager(retries=False)
        self._seen: set[str] = set()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.counted = Counted()

    def run(self) -> None:
        """Begin; returns when the input ends."""
        for ref in self._refs:
            self._read(ref)
        threads = [threading.Thread(target=self._always, args=(hand,)) for hand in range(HANDS)]
        threads.append(threading.Thread(target=self._later))
        for thread in threads:
            thread.start()
        say("ready")
        for _ in sys.stdin:
            with self._lock:
                say(json.dumps(asdict(self.counted)))
        self._over.set()
        for thread in threads:
            thread.join()

    def _always(self, number: int) -> None:
        """Read and call, `pace` times a second on the average: who was held up makes up for it."""
        began = time.monotonic()
        while not self._over.wait(max(0.0, began + number / self._pace - time.monotonic())):
            self._guarded(self._once, self._refs[number // HANDS % len(self._refs)])
            number += HANDS

    def _once(self, ref: str) -> None:
        began = time.monotonic()
        document = self._read(ref)
        refused = self._call(document["API_KEY"], self._name, began)
        with self._lock:
            counted = self.counted
            counted.reads += 1
            counted.refused += refused
            counted.torn += document.get("OTHER") != "theirs"
            counted.worst = max(counted.worst, time.monotonic() - began)
            self._seen.add(document["API_KEY"])
            counted.values = len(self._seen)

    def _later(self) -> None:
        """Ten times a second: read one value, and call with those that were read `keeps` seconds ago."""
        kept: deque[tuple[float, str]] = deque()
        for ref in cycle(self._refs):
            if self._over.wait(0.1):
                return
            self._guarded(lambda ref: kept.append((time.monotonic(), self._read(ref)["API_KEY"])), ref)
            while kept and kept[0][0] + self._keeps <= time.monotonic():
                self._guarded(self._with_what_was_kept, *kept.popleft())

    def _with_what_was_kept(self, since: float, value: str) -> None:
        refused = self._call(value, f"{self._name}, later", since)
        with self._lock:
            self.counted.kept += 1
            self.counted.kept_refused += refused

    def _call(self, value: str, who: str, since: float) -> bool:
        """Whether the provider refuses it, which was read from `since` on and must be good for an overlap."""
        headers = {"Authorization": f"Bearer {value}", "X-Consumer": who}
        status = self._pool.request("GET", f"{self._url}/resource", headers=headers, timeout=10).status
        if status not in (200, REFUSED):
            raise RuntimeError(f"the provider answers {status}")
        return status == REFUSED and time.monotonic() - since < self._lasts

    def _guarded(self, act: Callable[..., None], *given: Any) -> None:
        try:
            act(*given)
        except Exception as error:  # noqa: BLE001 - a consumer that finds nothing is what is looked for
            with self._lock:
                self.counted.trouble = [*self.counted.trouble, f"{type(error).__name__}: {str(error)[:200]}"][:10]
            self._over.wait(0.01)


if __name__ == "__main__":
    Reader(json.loads(sys.stdin.readline())).run()
