"""A stand-in for a Kubernetes API server, good enough for the real kubectl: real sockets, with and without TLS.

It has Secrets, Namespaces, Deployments, StatefulSets, DaemonSets and External Secrets: create, read, list with label
selectors and pages, replace, four kinds of patch, delete; resource versions, preconditions, dry runs, field managers
and server-side apply; tokens and client certificates with roles; Secrets that are immutable, of a type, too large; a
hook where admission would be.

Where it differs from a real one:
- Admission is one list of hooks. No schema is checked but what is said of Secrets in `validation`, nothing is defaulted
  but a Secret's type, and unknown fields stay. No `openapi` is served: kubectl wants `--validate=false`.
- A group that it does not have is refused with a Status; a real one answers `404 page not found`, as bare text. A real
  one gives an ExternalSecret the interval that it lacks.
- No controller runs: a Deployment never rolls out, an ExternalSecret never syncs, a Namespace goes with its contents at
  once, service accounts have no tokens but those that a test makes.
- Nothing is watched: `watch=true` is refused, so `kubectl rollout status` and `kubectl get --watch` fail.
- Field managers take lists as a whole. A strategic merge knows one key of lists, `name`.
- It keeps everything in memory, in clear and for good; a real one has etcd, its encryption, its compaction (410) and
  delays between several servers. There is one server and no priority and fairness: a throttle is a hook's.
- Protobuf is understood in what `kubectl create` sends of Secrets and Namespaces; every answer is JSON.
"""

from __future__ import annotations

from tests.servers.kubernetes.objects import Fault, Refusal
from tests.servers.kubernetes.server import KubernetesServer
from tests.servers.kubernetes.sockets import running

NAME = "Kubernetes API"

__all__ = ["NAME", "Fault", "KubernetesServer", "Refusal", "running"]
