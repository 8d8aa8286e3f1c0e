"""The least that the rotator's service account must be allowed, as custom roles and where to bind them.

Conditions name the project by its number, and permissions to create and list are asked of the project itself
(https://docs.cloud.google.com/secret-manager/docs/access-control, https://docs.cloud.google.com/iam/docs/conditions-resource-attributes).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from rotator.adapters.stores.gcp.resources import PRIVATE, Resources, secret_id

PROJECT = ("secretmanager.secrets.create", "secretmanager.secrets.list")
"""To make secrets and to find our own."""

OURS = (
    "secretmanager.secrets.delete",
    "secretmanager.secrets.get",
    "secretmanager.secrets.update",
    "secretmanager.versions.access",
    "secretmanager.versions.add",
    "secretmanager.versions.destroy",
    "secretmanager.versions.get",
)
"""On our own secrets, which consumers cannot read."""

PUBLISHED = (
    "secretmanager.secrets.get",
    "secretmanager.secrets.update",
    "secretmanager.versions.access",
    "secretmanager.versions.add",
    "secretmanager.versions.destroy",
    "secretmanager.versions.disable",
    "secretmanager.versions.get",
    "secretmanager.versions.list",
)
"""On each secret that consumers read."""

ROLES: Mapping[str, tuple[str, ...]] = {
    "rotatorProject": PROJECT,
    "rotatorPrivate": OURS,
    "rotatorPublished": PUBLISHED,
}


def least_policy(resources: Resources, refs: Collection[str]) -> str:
    """Commands that suffice for publishing to these references; `$ROTATOR` is the service account's member."""
    project = resources.project
    lines = [f"NUMBER=$(gcloud projects describe {project} --format='value(projectNumber)')"]
    for role, permissions in ROLES.items():
        lines.append(f"gcloud iam roles create {role} --project={project} --permissions={','.join(permissions)}")
    lines.append(_binding(project, "rotatorProject", None))
    lines.append(_binding(project, "rotatorPrivate", _starts(resources, PRIVATE)))
    for ref in sorted(refs):
        ident = secret_id(ref)
        condition = f"resource.name == '{_name(resources, ident)}' || {_starts(resources, f'{ident}/')}"
        lines.append(_binding(project, "rotatorPublished", condition))
    return "".join(f"{line}\n" for line in lines)


def _binding(project: str, role: str, condition: str | None) -> str:
    where = f'"--condition=title={role},expression={condition}"' if condition else "--condition=None"
    return (
        f'gcloud projects add-iam-policy-binding {project} "--member=$ROTATOR" '
        f"--role=projects/{project}/roles/{role} {where}"
    )


def _name(resources: Resources, ident: str) -> str:
    parent = resources.parent.replace(f"projects/{resources.project}", "projects/$NUMBER", 1)
    return f"{parent}/secrets/{ident}"


def _starts(resources: Resources, ident: str) -> str:
    return f"resource.name.startsWith('{_name(resources, ident)}')"
