"""The scene's credential in three clouds at once, each of which can be spoilt and mended by the tests."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.cli.scene import NAME, Scene
from tests.servers.aws import EVERYTHING, REGION, AwsServer, Login
from tests.servers.kubernetes import KubernetesServer
from tests.servers.secret_manager.iam import OWNER
from tests.stores.gcp_access import PARENT, PROJECT, Gcp
from tests.testing.keyserver_client import call_as

REFS = {"aws": "prod/llm", "gcp": "prod/llm", "kubernetes": "team/app"}
GCP_SECRET = f"{PARENT}/secrets/prod--llm"

EVERY_ROLE = "{kind: ClusterRole, rules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Three:
    """One credential, three stores; every document holds somebody else's field as well."""

    scene: Scene
    aws: AwsServer
    gcp: Gcp
    cluster: KubernetesServer

    def documents(self) -> dict[str, Mapping[str, str]]:
        """What consumers find in each store."""
        return {"aws": self.on_aws(), "gcp": self.gcp.document(secret=GCP_SECRET), "kubernetes": self.on_cluster()}

    def on_aws(self) -> dict[str, str]:
        """With GetSecretValue."""
        found: dict[str, str] = json.loads(self.aws.client().get_secret_value(SecretId=REFS["aws"])["SecretString"])
        return found

    def on_cluster(self) -> dict[str, str]:
        """With kubectl."""
        found = self.cluster.secret(*REFS["kubernetes"].split("/"))
        assert found is not None
        return {name: base64.b64decode(text).decode() for name, text in found["data"].items()}

    def put(self, store: str, document: Mapping[str, str]) -> None:
        """Let a colleague replace a whole document."""
        if store == "aws":
            self.aws.client().put_secret_value(SecretId=REFS["aws"], SecretString=json.dumps(document))
        elif store == "gcp":
            self.gcp.move_alias(self.gcp.add(document, GCP_SECRET), GCP_SECRET)
        else:
            self.put_secret(**document)

    def put_secret(self, **fields: str) -> None:
        """Replace the data of the Secret."""
        data = {name: base64.b64encode(text.encode()).decode() for name, text in fields.items()}
        self.cluster.put_secret(*REFS["kubernetes"].split("/"), data=data)

    def share(self, name: str, field: str) -> None:
        """Let the same documents hold another credential, in another field."""
        value = self.scene.keyserver.seed_key(name)[1]
        for store, document in self.documents().items():
            self.put(store, {**document, field: value})
        publish = [{"store": store, "ref": ref, "fields": {field: "{secret}"}} for store, ref in REFS.items()]
        config = json.loads(self.scene.config.read_text())
        principal = {"principal": name, "exclusive": True}
        made = {**config["credentials"][NAME], "principal": principal, "publish": publish}
        self.scene.rewrite(credentials={**config["credentials"], name: made})

    def raw(self, store: str) -> str:
        """What is there, whatever it is; for an AWS secret that waits for its deletion as well."""
        if store == "aws":
            return repr(self.aws.held(REFS["aws"]))
        if store == "gcp":
            return repr(self.gcp.ask("AccessSecretVersion", name=f"{GCP_SECRET}/versions/latest").payload.data)
        found = self.cluster.secret(*REFS["kubernetes"].split("/"))
        assert found is not None
        return repr(found["data"])

    def works(self, *stores: str) -> bool:
        """Whether the provider accepts what consumers find in each of these stores."""
        found = self.documents() if not stores else {each: self._one(each) for each in stores}
        return all(call_as(self.scene.keyserver.url, each["API_KEY"]) == 200 for each in found.values())

    def _one(self, store: str) -> Mapping[str, str]:
        if store == "gcp":
            return self.gcp.document(secret=GCP_SECRET)
        return self.on_aws() if store == "aws" else self.on_cluster()

    def expire(self, store: str) -> None:
        """Let the rotator's login to this store be refused from now on."""
        if store == "aws":
            key_id, secret = ((self.scene.folder / name).read_text() for name in ("aws-id", "aws-secret"))
            self.aws.deactivate(Login(key_id, secret))
        elif store == "gcp":
            del self.gcp.service.accounts.tokens[(self.scene.folder / "gcp-token").read_text()]
        else:
            self.cluster.access.revoke((self.scene.folder / "token").read_text())

    def hidden(self) -> list[str]:
        """What of ours lies beside what consumers read."""
        names = [name for name in self.aws.names() if name != REFS["aws"]]
        names += [name for name in self.gcp.service.names if name != GCP_SECRET]
        return names + [name for _, namespace, name in self.cluster.storage.keys() if namespace == "rotator"]


def published_to_three(scene: Scene, aws: AwsServer, gcp: Gcp, cluster: KubernetesServer) -> Three:
    """Make them."""
    document = {"API_KEY": scene.published(), "OTHER": "theirs"}
    aws.client().create_secret(Name=REFS["aws"], SecretString=json.dumps(document))
    gcp.move_alias(gcp.add(document, GCP_SECRET), GCP_SECRET)
    cluster.put_secret(*REFS["kubernetes"].split("/"), stringData=document)
    join(scene, aws, gcp, cluster)
    return Three(scene=scene, aws=aws, gcp=gcp, cluster=cluster)


def join(scene: Scene, aws: AwsServer, gcp: Gcp, cluster: KubernetesServer) -> None:
    """Let a scene publish its credential there."""
    let_in(scene, aws, gcp, cluster)
    static = {"method": "static", "access_key_id": "file:aws-id", "secret_access_key": "file:aws-secret"}
    token = {"method": "access_token", "token": "file:gcp-token"}
    stores: dict[str, dict[str, Any]] = {
        "aws": {"region": REGION, "endpoint_url": aws.address, "auth": static},
        "gcp": {"project": PROJECT, "endpoint": gcp.address, "auth": token},
        "kubernetes": {"address": cluster.plain_address, "auth": {"method": "token", "token": "file:token"}},
    }
    scene.rewrite(stores={name: {"driver": name, **settings} for name, settings in stores.items()})
    publish = [{"store": name, "ref": ref, "fields": {"API_KEY": "{secret}"}} for name, ref in REFS.items()]
    scene.credential(NAME, publish=publish)


def let_in(scene: Scene, aws: AwsServer, gcp: Gcp, cluster: KubernetesServer) -> None:
    """Give the rotator logins of its own, new ones each time."""
    login, token = aws.user(EVERYTHING), gcp.allow(f"ya29.{secrets.token_hex(16)}", *OWNER)
    files = {"aws-id": login.key_id, "aws-secret": login.secret, "gcp-token": token}
    for name, text in {**files, "token": cluster.access.token(EVERY_ROLE)}.items():
        (scene.folder / name).touch(mode=0o600)
        (scene.folder / name).write_text(text)
