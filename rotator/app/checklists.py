"""What a person looks for in a provider's console where its trail cannot be read: text, by kind of driver.

Where it comes from:

- anthropic: https://platform.claude.com/docs/en/get-api-key and …/manage-claude/admin-api-keys
- aws_iam: https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html; how long sessions last:
  …/id_credentials_temp_control-access_disable-perms.html; denying them: …/id_roles_use_revoke-sessions.html
- bedrock: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_bedrock.html
- azure_openai: https://learn.microsoft.com/azure/azure-monitor/platform/activity-log
- gcp_api_key: https://docs.cloud.google.com/iam/docs/audit-logging
- openai: https://help.openai.com/en/articles/9687866; the page of the settings: the vendor's description of audit logs
- openrouter: https://openrouter.ai/docs/features/provisioning-api-keys
- pinecone: https://docs.pinecone.io/guides/organizations/manage-service-accounts
- vault_approle: https://developer.hashicorp.com/vault/api-docs/auth/token
- which events of CloudTrail and of Azure's activity log, and every other line: from memory, not checked
"""

from __future__ import annotations

from collections.abc import Mapping

from rotator.domain.aftermath import Trail

Checklist = tuple[str, tuple[str, ...]]

GENERIC: Checklist = (
    "",
    (
        "keys and tokens made in the window, also in projects and accounts that the config does not name",
        "users, service accounts and invitations made in the window, and roles given to those that were there",
        "webhooks, integrations and single sign-on rules added or changed in the window",
        "the vendor's own audit log, if there is one, for everything that was done with the admin credential",
    ),
)
DATABASE: Checklist = (
    "",
    (
        "roles that the config does not name and that may log in: a database keeps no time of their making",
        "members added to the owner roles, and rights given to PUBLIC",
        "functions, triggers and extensions that run with their owner's rights",
        "host rules (who may connect from where) and the server's log of logins",
    ),
)
CHECKLISTS: Mapping[str, Checklist] = {
    "anthropic": (
        "https://platform.claude.com",
        (
            "members and invitations of the organisation made in the window",
            "Admin API keys, service accounts, federation issuers and rules made in the window",
            "API keys of workspaces that the config does not name, and workspaces made in the window",
        ),
    ),
    "aws_iam": (
        "https://console.aws.amazon.com",
        (
            "CloudTrail, in every region: CreateUser, CreateRole, CreateAccessKey, CreateLoginProfile",
            "CloudTrail: UpdateAssumeRolePolicy, AttachUserPolicy, PutUserPolicy, CreateOpenIDConnectProvider",
            "sessions made with dead keys outlive them by up to 36 hours: deny aws:TokenIssueTime before now",
            "roles whose trust policy names an account that is not yours",
        ),
    ),
    "bedrock": (
        "https://console.aws.amazon.com",
        (
            "CloudTrail: CreateServiceSpecificCredential, CreateUser, CreateAccessKey, AttachUserPolicy",
            "service-specific credentials of users that the config does not name",
        ),
    ),
    "azure_openai": (
        "https://portal.azure.com",
        (
            "activity log: Regenerate Keys and List Keys on the account, role assignments made in the window",
            "app registrations, their secrets and federated credentials made in the window",
        ),
    ),
    "gcp_api_key": (
        "https://console.cloud.google.com/logs/query",
        (
            "audit logs: CreateServiceAccount, CreateServiceAccountKey, SetIamPolicy, CreateKey of API keys",
            "workload identity pools and providers made in the window",
        ),
    ),
    "langfuse": ("", ("API keys of other projects, members and invitations of the organisation",)),
    "litellm": (
        "",
        (
            "virtual keys, users and teams made in the window: /key/list, /user/list, /team/list",
            "models and callbacks that were added: whoever administers the proxy reads the keys behind it",
        ),
    ),
    "openai": (
        "https://platform.openai.com/settings/organization/general",
        (
            "admin keys, service accounts, users and invitations made in the window",
            "projects made in the window, and keys in projects that the config does not name",
            "audit logging must have been switched on before: else the trail is empty and proves nothing",
        ),
    ),
    "openrouter": (
        "https://openrouter.ai/settings/management-keys",
        ("management keys (once called provisioning keys) made in the window", "keys and members of the organisation"),
    ),
    "pinecone": (
        "https://app.pinecone.io",
        ("service accounts and their secrets", "projects made in the window and their keys", "members, invitations"),
    ),
    "vault_approle": (
        "",
        (
            "the audit device's log: auth/*, sys/policies/*, identity/* and auth/token/create in the window",
            "tokens: accessors listed by auth/token/accessors, and roles whose secret-ids the config does not name",
            "auth methods and JWT roles (federation) enabled or changed in the window",
        ),
    ),
    "rabbitmq": ("", ("users and their tags, permissions, policies, shovels and federation links",)),
    "redis": ("", ("ACL LIST: users that the config does not name, and what `default` may", "modules and scripts")),
    "postgres": DATABASE,
    "mysql": DATABASE,
    "keyserver": ("", ("keys of principals that the config does not name",)),
}


def checklist(provider: str, driver: str, console: str) -> Trail:
    """What to look for at this provider."""
    url, lines = CHECKLISTS.get(driver, GENERIC)
    return Trail(provider=provider, checklist=lines, url=url or console)
