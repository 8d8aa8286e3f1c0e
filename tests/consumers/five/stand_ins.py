"""A process with what stands in for a cloud: `python -m tests.consumers.five.stand_ins aws | gcp | kubernetes`.

Its input: a line with the documents to begin with, by reference, and then nothing until it is to end. Its output: one
line with where it is and who may do everything there.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.consumers.five.readers import say
from tests.servers import aws, kubernetes
from tests.servers.secret_manager.fronts import serve_grpc
from tests.stores.aws_access import Aws
from tests.stores.gcp_access import PARENT, TOKEN, serving


def main() -> None:
    """Serve until the input ends."""
    which, documents = sys.argv[1], json.loads(sys.stdin.readline())
    with ExitStack() as ending:
        say(json.dumps(SERVE[which](documents, ending)))
        sys.stdin.read()


Documents = Mapping[str, Mapping[str, str]]


def on_aws(documents: Documents, ending: ExitStack) -> dict[str, str]:
    """moto."""
    cloud = Aws(aws.start())
    ending.callback(cloud.server.stop)
    for ref, document in documents.items():
        cloud.publish(ref, json.dumps(document))
    login = cloud.server.admin
    return {"address": cloud.server.address, "key_id": login.key_id, "secret": login.secret}


def on_gcp(documents: Documents, ending: ExitStack) -> dict[str, str]:
    """A Secret Manager, over REST and gRPC."""
    gcp = ending.enter_context(serving("rest"))
    by_grpc = ending.enter_context(serve_grpc(gcp.service))
    for ref, document in documents.items():
        secret = f"{PARENT}/secrets/{ref.replace('/', '--')}"
        gcp.move_alias(gcp.add(document, secret), secret)
    return {"address": gcp.address, "grpc": by_grpc.removeprefix("http://"), "token": TOKEN}


def on_kubernetes(documents: Documents, ending: ExitStack) -> dict[str, str]:
    """A cluster with the namespace `prod`, and the rotator's own."""
    folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="five-")))
    cluster = ending.enter_context(kubernetes.running(folder))
    for name in ("prod", "rotator"):
        cluster.make_namespace(name)
    for ref, document in documents.items():
        cluster.put_secret(*ref.split("/"), stringData=document)
    return {"address": cluster.plain_address, "token": cluster.admin}


SERVE = {"aws": on_aws, "gcp": on_gcp, "kubernetes": on_kubernetes}

if __name__ == "__main__":
    main()
