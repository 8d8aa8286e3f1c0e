"""Keys known by their form: so that a secret in a config is refused, and `init --from` finds what can be managed.

Forms are those that vendors document or that their SDKs and secret scanners use; a form says whose key it probably is,
and nothing about whether it lives.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Form:
    """A vendor's form of key. `driver`: the name of the driver that rotates it; `admin`: what that takes, in words."""

    vendor: str
    pattern: re.Pattern[str]
    driver: str | None
    admin: str


def _form(vendor: str, pattern: str, admin: str, driver: str | None = None) -> Form:
    return Form(vendor, re.compile(r"(?<![A-Za-z0-9])(?:" + pattern + ")"), driver, admin)


_LOGIN = r"[^\s:@/]*:(?!\{[a-z_]+\}@)[^\s@/]+@\S+"  # a template's {password} is no password

FORMS: tuple[Form, ...] = (
    _form("OpenAI admin", r"sk-admin-[A-Za-z0-9_-]{20,}", "another admin key, made in its console"),
    _form("Anthropic admin", r"sk-ant-admin[0-9]{2}-[A-Za-z0-9_-]{20,}", "a new one, made in its console"),
    _form("Anthropic", r"sk-ant-[A-Za-z0-9_-]{20,}", "an Admin API key, and a person who makes the new key"),
    _form("OpenRouter", r"sk-or-v1-[0-9a-f]{32,}", "a management key"),
    _form("OpenAI", r"sk-(?:proj-|svcacct-)[A-Za-z0-9_-]{20,}", "an admin key with api.management.write"),
    _form("Langfuse", r"(?:sk|pk)-lf-[0-9a-f-]{20,}", "an organisation's API key"),
    _form("AWS", r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])", "the permission iam:*AccessKey* on its user"),
    _form("Google API", r"AIza[0-9A-Za-z_-]{35}", "roles/serviceusage.apiKeysAdmin"),
    _form("GitHub", r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,}", "a GitHub App instead of a token"),
    _form("GitLab", r"glpat-[A-Za-z0-9_.-]{20,}", "a group or project owner's token"),
    _form("Hugging Face", r"hf_[A-Za-z0-9]{30,}", "a person in its console"),
    _form("Groq", r"gsk_[A-Za-z0-9]{40,}", "a person in its console"),
    _form("Pinecone", r"pcsk_[A-Za-z0-9_]{30,}", "a service account of the organisation"),
    _form("Stripe", r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}", "a person in its console"),
    _form("Slack", r"xox[abeoprs]-[A-Za-z0-9-]{10,}", "token rotation, switched on for the app"),
    _form("npm", r"npm_[A-Za-z0-9]{36}", "trusted publishing instead of a token"),
    _form("SendGrid", r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}", "a key with api_keys scopes"),
    _form("Vault", r"hv[sbr]\.[A-Za-z0-9_-]{20,}", "AppRole instead of a token"),
    _form("keyserver", r"ks_[A-Za-z0-9_-]{16,}", "the keyserver's admin secret", "keyserver"),
    _form(
        "PostgreSQL",
        r"postgres(?:ql)?(?:\+\w+)?://" + _LOGIN,
        "the password of a role rotator that may make roles",
        "postgres",
    ),
    _form("a login", r"[A-Za-z][A-Za-z0-9+.-]*://" + _LOGIN, "whoever gave the login out"),
    _form("a signed token", r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+", "whoever signed it"),
    _form("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*", "whoever trusts its other half"),
    _form("this rotator", r"rotator-installation-1 [\s\S]*", "nothing: it is an installation's own key"),
    _form("OpenAI-like", r"sk-[A-Za-z0-9_-]{20,}", "depends on who issued it"),
)


def recognise(text: str) -> Form | None:
    """The form of a value, or None. The whole value must have it."""
    return next((form for form in FORMS if form.pattern.fullmatch(text.strip())), None)


def contains_key(text: str) -> Form | None:
    """A form found anywhere within a text, at a word's beginning; for refusing secrets where none may be."""
    return next((form for form in FORMS if form.pattern.search(text)), None)


def hidden(text: str) -> str:
    """The text without the keys in it."""
    for form in FORMS:
        text = form.pattern.sub("…", text)
    return text
