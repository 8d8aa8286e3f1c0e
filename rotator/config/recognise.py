"""Keys known by their form: so that a secret in a config is refused, and `init --from` finds what can be managed.

Forms are those that vendors document or that their SDKs and secret scanners use; a form says whose key it probably is,
and nothing about whether it lives.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Form:
    """A vendor's form of key. `driver`: ours for it, today or later; `admin`: what is needed to rotate it."""

    vendor: str
    pattern: re.Pattern[str]
    driver: str | None
    admin: str


def _form(vendor: str, pattern: str, driver: str | None, admin: str) -> Form:
    return Form(vendor, re.compile(pattern), driver, admin)


FORMS: tuple[Form, ...] = (
    _form("OpenAI admin", r"sk-admin-[A-Za-z0-9_-]{20,}", None, "another admin key, made in the console"),
    _form("Anthropic admin", r"sk-ant-admin[0-9]{2}-[A-Za-z0-9_-]{20,}", None, "made in the console"),
    _form("Anthropic", r"sk-ant-[A-Za-z0-9_-]{20,}", None, "an Admin API key; a person makes the new key"),
    _form("OpenRouter", r"sk-or-v1-[0-9a-f]{32,}", None, "a management key"),
    _form("OpenAI", r"sk-(proj-|svcacct-)[A-Za-z0-9_-]{20,}", None, "an admin key with api.management.write"),
    _form("Langfuse", r"(sk|pk)-lf-[0-9a-f-]{20,}", None, "an organisation's API key"),
    _form("AWS", r"(AKIA|ASIA)[A-Z0-9]{16}", None, "iam:*AccessKey* on the one user"),
    _form("Google API", r"AIza[0-9A-Za-z_-]{35}", None, "roles/serviceusage.apiKeysAdmin"),
    _form(
        "GitHub",
        r"(ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,}",
        None,
        "by hand, or a GitHub App",
    ),
    _form("GitLab", r"glpat-[A-Za-z0-9_.-]{20,}", None, "a group or project owner's token"),
    _form("Hugging Face", r"hf_[A-Za-z0-9]{30,}", None, "by hand"),
    _form("Groq", r"gsk_[A-Za-z0-9]{40,}", None, "by hand"),
    _form("Pinecone", r"pcsk_[A-Za-z0-9_]{30,}", None, "a service account of the organisation"),
    _form("Stripe", r"(sk|rk)_(live|test)_[A-Za-z0-9]{16,}", None, "by hand"),
    _form("Slack", r"xox[abeoprs]-[A-Za-z0-9-]{10,}", None, "token rotation of the app"),
    _form("npm", r"npm_[A-Za-z0-9]{36}", None, "by hand; prefer trusted publishing"),
    _form("SendGrid", r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}", None, "a key with api_keys scopes"),
    _form("Vault", r"(hvs|hvb|hvr)\.[A-Za-z0-9_-]{20,}", None, "AppRole instead of a token"),
    _form("keyserver", r"ks_[A-Za-z0-9_-]{16,}", "keyserver", "the keyserver's admin secret"),
    _form("PostgreSQL", r"postgres(ql)?(\+\w+)?://[^\s:@/]+:[^\s@/]+@\S+", "postgres", "a role with CREATEROLE"),
    _form("OpenAI-like", r"sk-[A-Za-z0-9_-]{20,}", None, "depends on who issued it"),
)


def recognise(text: str) -> Form | None:
    """The form of a value, or None. The whole value must have it."""
    return next((form for form in FORMS if form.pattern.fullmatch(text.strip())), None)


def contains_key(text: str) -> Form | None:
    """A form found anywhere within a text, at a word's beginning; for refusing secrets where none may be."""
    for form in FORMS:
        found = form.pattern.search(text)
        if found and (found.start() == 0 or not text[found.start() - 1].isalnum()):
            return form
    return None
