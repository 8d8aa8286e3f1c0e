"""Keys known by their form: so that a secret in a config is refused, and `init --from` finds what can be managed.

Forms are those that vendors document or that their SDKs and secret scanners use; a form says whose key it probably is,
and nothing about whether it lives.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A vendor's form of key. `driver`: the name of the driver that rotates it; `admin`: what that takes, in words.

    `revoke`: where a person ends such a key, and `source`, where the vendor says so; both empty where nobody can say.
    `is_id`: it is the key's id, which its vendor shows, and no secret. `hintable`: its last characters tell nothing of
    what is secret, and people know it by them.
    """

    vendor: str
    pattern: re.Pattern[str] = field(repr=False)
    admin: str
    driver: str | None = None
    revoke: str = ""
    source: str = ""
    hintable: bool = True
    is_id: bool = False

    def hint(self, text: str) -> str:
        """What may be shown of a key of this form: a few last characters of a long one, as vendors do; else nothing."""
        return f"…{text[-SHOWN:]}" if self.hintable and len(text) >= LONG else ""


LONG, SHOWN = 20, 4
"""Of a value of so many characters so many are shown."""


def _form(vendor: str, pattern: str, admin: str, driver: str | None = None, **more: Any) -> Form:
    whole = re.compile(r"(?<![A-Za-z0-9])(?:" + pattern + ")")
    return Form(vendor=vendor, pattern=whole, admin=admin, driver=driver, **more)


def _login(vendor: str, scheme: str, driver: str | None, admin: str, revoke: str) -> Form:
    return _form(vendor, scheme + "://" + _LOGIN, admin, driver, revoke=revoke, hintable=False)


def _langfuse(kind: str, **more: Any) -> Form:
    return _form(
        "Langfuse",
        kind + r"-lf-[0-9a-f-]{20,}",
        "an organisation's API key",
        "langfuse",
        revoke="the project's Settings, API Keys",
        source="https://langfuse.com/faq/all/where-are-langfuse-api-keys",
        **more,
    )


_LOGIN = r"[^\s:@/]*:(?!\{[a-z_]+\}@)[^\s@/]+@\S+"  # a template's {password} is no password

FORMS: tuple[Form, ...] = (
    _form(
        "OpenAI admin",
        r"sk-admin-[A-Za-z0-9_-]{20,}",
        "another admin key, made in its console",
        "openai",
        revoke="https://platform.openai.com/settings/organization/admin-keys",
        source="https://platform.openai.com/docs/api-reference/admin-api-keys",
    ),
    _form(
        "Anthropic admin",
        r"sk-ant-admin[0-9]{2}-[A-Za-z0-9_-]{20,}",
        "a new one, made in its console",
        revoke="https://platform.claude.com/settings/admin-keys",
        source="https://platform.claude.com/docs/en/build-with-claude/administration-api",
    ),
    _form(
        "Anthropic",
        r"sk-ant-[A-Za-z0-9_-]{20,}",
        "an Admin API key, and a person who makes the new key",
        "anthropic",
        revoke="https://platform.claude.com/settings/keys",
        source="https://platform.claude.com/docs/en/api/admin/api_keys",
    ),
    _form(
        "OpenRouter",
        r"sk-or-v1-[0-9a-f]{32,}",
        "a management key",
        "openrouter",
        revoke="https://openrouter.ai/settings/keys",
        source="https://openrouter.ai/docs/api-reference/authentication",
    ),
    _form(
        "OpenAI",
        r"sk-(?:proj-|svcacct-)[A-Za-z0-9_-]{20,}",
        "an admin key with api.management.write",
        "openai",
        revoke="https://platform.openai.com/api-keys",
        source="https://platform.openai.com/docs/api-reference/authentication",
    ),
    _langfuse("sk"),
    _langfuse("pk", is_id=True),
    _form(
        "AWS",
        r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])",
        "the permission iam:*AccessKey* on its user",
        "aws_iam",
        revoke="https://console.aws.amazon.com/iam/home#/users",
        source="https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html",
        is_id=True,
    ),
    _form(
        "Bedrock",
        r"ABSK[A-Za-z0-9+/]{40,}={0,2}",
        "the permission iam:*ServiceSpecificCredential* on its user",
        "bedrock",
        revoke="https://console.aws.amazon.com/bedrock/home#/api-keys",
        source="https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-revoke.html",
    ),
    _form(
        "Google API",
        r"AIza[0-9A-Za-z_-]{35}",
        "roles/serviceusage.apiKeysAdmin",
        "gcp_api_key",
        revoke="https://console.cloud.google.com/apis/credentials",
        source="https://docs.cloud.google.com/docs/authentication/api-keys",
    ),
    _form(
        "GitHub",
        r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,}",
        "a GitHub App instead of a token",
        "assisted",
        revoke="https://github.com/settings/tokens",
        source="https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/"
        "managing-your-personal-access-tokens",
    ),
    _form(
        "GitLab",
        r"glpat-[A-Za-z0-9_.-]{20,}",
        "a group or project owner's token",
        revoke="https://gitlab.com/-/user_settings/personal_access_tokens, or the same on your own server",
        source="https://docs.gitlab.com/user/profile/personal_access_tokens/",
    ),
    _form(
        "Hugging Face",
        r"hf_[A-Za-z0-9]{30,}",
        "a person in its console",
        "assisted",
        revoke="https://huggingface.co/settings/tokens",
        source="https://huggingface.co/docs/hub/security-tokens",
    ),
    _form(
        "Groq",
        r"gsk_[A-Za-z0-9]{40,}",
        "a person in its console",
        "assisted",
        revoke="https://console.groq.com/keys",
        source="https://console.groq.com/docs/quickstart",
    ),
    _form(
        "Pinecone",
        r"pcsk_[A-Za-z0-9_]{30,}",
        "a service account of the organisation",
        "pinecone",
        revoke="https://app.pinecone.io, API keys",
        source="https://docs.pinecone.io/guides/projects/manage-api-keys",
    ),
    _form(
        "Stripe",
        r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}",
        "a person in its console",
        "assisted",
        revoke="https://dashboard.stripe.com/apikeys",
        source="https://docs.stripe.com/keys",
    ),
    _form(
        "Slack",
        r"xox[abeoprs]-[A-Za-z0-9-]{10,}",
        "token rotation, switched on for the app",
        revoke="https://api.slack.com/apps, or the method auth.revoke",
        source="https://docs.slack.dev/reference/methods/auth.revoke",
    ),
    _form(
        "npm",
        r"npm_[A-Za-z0-9]{36}",
        "trusted publishing instead of a token",
        "assisted",
        revoke="the registry's site, Access Tokens, or `npm token revoke`",
        source="npm's documentation, Revoking access tokens",
    ),
    _form(
        "SendGrid",
        r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
        "a key with api_keys scopes",
        "rest",
        revoke="https://app.sendgrid.com/settings/api_keys",
        source="https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys",
    ),
    _form(
        "xAI",
        r"xai-[A-Za-z0-9]{40,}",
        "a management key",
        "rest",
        revoke="https://console.x.ai",
        source="https://docs.x.ai/docs/management-api/guide",
    ),
    _form(
        "Vault",
        r"hv[sbr]\.[A-Za-z0-9_-]{20,}",
        "AppRole instead of a token",
        revoke="`vault token revoke`",
        source="https://developer.hashicorp.com/vault/docs/commands/token/revoke",
    ),
    _form(
        "keyserver",
        r"ks_[A-Za-z0-9_-]{16,}",
        "the keyserver's admin secret",
        "keyserver",
        revoke="the keyserver that issued it",
    ),
    _login(
        "PostgreSQL",
        r"postgres(?:ql)?(?:\+\w+)?",
        "postgres",
        "the password of a role rotator that may make roles",
        "on its server: ALTER ROLE … PASSWORD",
    ),
    _login(
        "MySQL",
        r"(?:mysql|mariadb)(?:\+\w+)?",
        "mysql",
        "the password of an account that may make accounts",
        "on its server: ALTER USER … IDENTIFIED BY",
    ),
    _login(
        "Redis", r"rediss?", "redis", "the password of a user that may run ACL SETUSER", "on its server: ACL SETUSER"
    ),
    _login(
        "RabbitMQ",
        r"amqps?",
        "rabbitmq",
        "the password of a user with the tag administrator",
        "on its server: rabbitmqctl change_password",
    ),
    _login("a login", r"[A-Za-z][A-Za-z0-9+.-]*", None, "whoever gave the login out", "where the login is given out"),
    _form(
        "a signed token",
        r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+",
        "whoever signed it",
        revoke="at whoever signed it",
        hintable=False,
    ),
    _form(
        "a private key",
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*",
        "whoever trusts its other half",
        revoke="wherever its other half is trusted",
        hintable=False,
    ),
    _form(
        "this rotator",
        r"rotator-installation-1 [\s\S]*",
        "nothing: it is an installation's own key",
        revoke="`rotator init` elsewhere: whoever has it can write marks and sign",
        hintable=False,
    ),
    _form(
        "this rotator's API",
        r"rotk_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])",
        "nothing: `rotator token new` makes another one",
        revoke="`rotator token revoke NAME`",
        hintable=False,
    ),
    _form("OpenAI-like", r"sk-[A-Za-z0-9_-]{20,}", "depends on who issued it", revoke="at whoever issued it"),
)


def recognise(text: str) -> Form | None:
    """The form of a value, or None. The whole value must have it."""
    return next((form for form in FORMS if form.pattern.fullmatch(text.strip())), None)


def contains_key(text: str) -> Form | None:
    """A form found anywhere within a text, at a word's beginning; for refusing secrets where none may be."""
    return next((form for form in FORMS if form.pattern.search(text)), None)


def value_form(text: str) -> Form | None:
    """As `contains_key`, without those that are ids and no secrets."""
    return next((form for form in FORMS if not form.is_id and form.pattern.search(text)), None)


def hidden(text: str) -> str:
    """The text without the keys in it."""
    for form in FORMS:
        text = form.pattern.sub("…", text)
    return text


def secrets_hidden(text: str) -> str:
    """The same where ids may be told: they are what a person looks for."""
    for form in FORMS:
        text = text if form.is_id else form.pattern.sub("…", text)
    return text
