"""Real archives, images and documents with a value planted in them."""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import html
import io
import json
import lzma
import shlex
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from urllib.parse import quote

import yaml


def tar(files: Mapping[str, bytes], mode: str = "w") -> bytes:
    """A tar, with `w:gz`, `w:bz2` or `w:xz` a compressed one."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def digest(data: bytes) -> str:
    """As OCI names a blob."""
    return hashlib.sha256(data).hexdigest()


def oci_layout(layers: list[bytes], environment: list[str]) -> dict[str, bytes]:
    """The files of an OCI image layout with these layers, gzipped tars."""
    config = json.dumps(
        {"config": {"Env": environment}, "rootfs": {"type": "layers", "diff_ids": []}, "architecture": "amd64"}
    ).encode()
    blobs = [config, *layers]
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": {"digest": f"sha256:{digest(config)}", "size": len(config)},
            "layers": [{"digest": f"sha256:{digest(each)}", "size": len(each)} for each in layers],
        }
    ).encode()
    blobs.append(manifest)
    index = json.dumps({"schemaVersion": 2, "manifests": [{"digest": f"sha256:{digest(manifest)}"}]}).encode()
    return {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": index,
        **{f"blobs/sha256/{digest(each)}": each for each in blobs},
    }


def docker_save(layers: list[bytes]) -> bytes:
    """An image as older versions of `docker save` write it: a directory for each layer, with a plain tar."""
    names = [f"{digest(each)}/layer.tar" for each in layers]
    manifest = json.dumps([{"Config": "config.json", "RepoTags": ["app:1"], "Layers": names}]).encode()
    return tar({"config.json": b"{}", **dict(zip(names, layers, strict=True)), "manifest.json": manifest})


def _kubernetes(value: str) -> str:
    data = {"kind": "Secret", "data": {"key": base64.b64encode(value.encode()).decode()}}
    return yaml.safe_dump(data)


def _docker_config(value: str) -> str:
    return json.dumps({"auths": {"r.internal": {"auth": base64.b64encode(f"robot:{value}".encode()).decode()}}})


def _helm(value: str) -> str:
    release = gzip.compress(json.dumps({"config": {"key": value}}).encode())
    return json.dumps({"data": {"release": base64.b64encode(base64.b64encode(release)).decode()}})


def _wrapped(value: str) -> str:
    coded = base64.b64encode(f"some text before it\nkey={value}\nand some more behind it".encode()).decode()
    return "\n".join(coded[at : at + 40] for at in range(0, len(coded), 40))


TEXTS: dict[str, Callable[[str], str]] = {
    "alone": lambda value: value,
    "a line": lambda value: f"first\n{value}\nlast\n",
    "dotenv": lambda value: f"# ours\nOTHER=x\nAPI_KEY={value}\n",
    "dotenv, quoted for a shell": lambda value: f"export API_KEY={shlex.quote(value)}\n",
    "dotenv, in double quotes": lambda value: f"API_KEY={json.dumps(value)} # the key\n",
    "JSON": lambda value: json.dumps({"a": 1, "nested": [{"API_KEY": value}]}, indent=2),
    "JSON on one line": lambda value: json.dumps({"first": "x, y", "API_KEY": value, "z": [value, 2]}),
    "JSON in JSON": lambda value: json.dumps({"log": json.dumps({"API_KEY": value})}),
    "YAML": lambda value: yaml.safe_dump({"app": {"env": [{"name": "API_KEY", "value": value}]}}, width=10_000),
    "YAML, plain": lambda value: f"api_key: {value}\n",
    "YAML, a block": lambda value: f"a:\n  key: |\n    {value}\n  b: 1\n",
    "TOML": lambda value: f"[app]\nkey = {json.dumps(value)}\n",
    "INI": lambda value: f"[app]\nkey = {value}\n",
    "a header": lambda value: f"> Authorization: Bearer {value}\r\n",
    "basic authentication": lambda value: "Authorization: Basic " + base64.b64encode(f"user:{value}".encode()).decode(),
    "curl": lambda value: f"curl -H 'x-api-key: {value}' https://api.internal/v1\n",
    "a URL's password": lambda value: f"DATABASE_URL=postgresql://app:{quote(value, safe='')}@db.internal:5432/app\n",
    "a URL's user": lambda value: f"https://{quote(value, safe='')}@git.internal/app.git\n",
    "a URL's query": lambda value: f"GET https://api.internal/v1?x=1&key={quote(value, safe='')}&y=2 HTTP/1.1\n",
    "a URL's path": lambda value: f"https://hooks.internal/services/{quote(value, safe='')}/x\n",
    "base64": lambda value: f"key: {base64.b64encode(value.encode()).decode()}\n",
    "base64 for URLs": lambda value: f"key: {base64.urlsafe_b64encode(value.encode()).decode().rstrip('=')}\n",
    "base64 over lines": _wrapped,
    "a Kubernetes Secret": _kubernetes,
    "a Docker config": _docker_config,
    "a Helm release": _helm,
    "HTML": lambda value: f"<code>{html.escape(value)}</code>\n",
    "ps eww": lambda value: f"  812 ?  S  0:00 python app.py PATH=/usr/bin API_KEY={value} HOME=/root\n",
}
"""How a value may stand in a text."""

PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "tar": lambda data: tar({"app/readme": b"nothing", "app/file": data}),
    "tar.gz": lambda data: tar({"app/file": data}, "w:gz"),
    "tar.bz2": lambda data: tar({"app/file": data}, "w:bz2"),
    "tar.xz": lambda data: tar({"app/file": data}, "w:xz"),
    "zip": lambda data: zipped({"app/readme": b"nothing", "app/file": data}),
    "zip, stored": lambda data: zipped({"file": data}, zipfile.ZIP_STORED),
    "zip in tar": lambda data: tar({"app.jar": zipped({"file": data})}),
    "tar in zip": lambda data: zipped({"app.tgz": tar({"file": data}, "w:gz")}),
    "gz": gzip.compress,
    "gz of several parts": lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:]),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "docker save": lambda data: docker_save([tar({"app/file": data})]),
    "OCI": lambda data: tar(oci_layout([tar({"app/file": data}, "w:gz")], [])),
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "binary": lambda data: b"\x7fELF\x02\x01\0\0" + bytes(range(256)) * 8 + b"\0" + data + b"\0\xff\xfe" * 200,
}
"""How a text may be packed."""
