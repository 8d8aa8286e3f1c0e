"""A secret in a config is refused wherever it stands, and never repeated."""

from __future__ import annotations

import base64
import traceback

import pytest

from rotator.config.errors import ConfigError
from rotator.config.installation import new_installation
from rotator.config.recognise import contains_key, recognise
from rotator.config.secrecy import masked, must_refer, shown
from tests.config.folder import GOOD, Folder, changed

BODY = "a1B2c3D4e5F6g7H8i9J0"
KEYS = {
    "OpenAI": f"sk-proj-{BODY}",
    "OpenAI admin": f"sk-admin-{BODY}",
    "Anthropic": f"sk-ant-api03-{BODY}",
    "Anthropic admin": f"sk-ant-admin01-{BODY}",
    "OpenAI-like": f"sk-{BODY}",
    "OpenRouter": "sk-or-v1-" + "0123456789abcdef" * 4,
    "Langfuse": "sk-lf-01234567-89ab-cdef-0123-456789abcdef",
    "AWS": "AKIAABCDEFGHIJKLMNOP",
    "Google API": "AIza" + "a1B2c" * 7,
    "GitHub": "ghp_" + "a1B2c3" * 6,
    "GitLab": f"glpat-{BODY}",
    "Hugging Face": f"hf_{BODY}{BODY}",
    "Groq": f"gsk_{BODY}{BODY}",
    "Pinecone": f"pcsk_{BODY}{BODY}",
    "Stripe": f"sk_live_{BODY}",
    "Slack": f"xoxb-{BODY}",
    "npm": "npm_" + "a1B2c3" * 6,
    "SendGrid": f"SG.{BODY}.{BODY}",
    "Vault": f"hvs.{BODY}",
    "keyserver": f"ks_{BODY}",
    "PostgreSQL": "postgresql+psycopg://app:hunter2@db.internal/app",
    "Bedrock": "ABSK" + "a1B2" * 11,
    "xAI": "xai-" + "a1B2c3D4" * 5,
    "MySQL": "mysql+pymysql://app:hunter2@db.internal/app",
    "Redis": "redis://:hunter2@cache/0",
    "RabbitMQ": "amqps://app:hunter2@queue.internal/",
    "a login": "https://app:hunter2@host/",
    "a signed token": f"eyJ{BODY}.eyJ{BODY}.{BODY}",
    "a private key": "-----BEGIN RSA PRIVATE KEY-----",
    "this rotator": new_installation().text(),
}

PLACES = {
    "the admin credential": ("env:KS_ADMIN", "{}"),
    "a setting": ("root: store", "root: {}"),
    "a list in a setting": ("root: store", "root: store, more: [1, [{}]]"),
    "a name in a setting": ("root: store", "root: store, {}: x"),
    "a tag": ("policy: standard", "tags: [prod, {}]"),
    "a template": ('"{secret}"}}]\n    policy', None),
    "a reference of a place": ("ref: a.json, fields: {B", "ref: {}, fields: {{B"),
    "a field's name": ("{B:", "{{{}:"),
    "a policy": ("standard: {every: 30d, window", "standard: {{every: {}, window"),
    "the name of a credential": ("  two:", "  {}:"),
    "the name of a section": ("policies:", "{}: x\npolicies:"),
    "the principal": ("{principal: agents}", "{{principal: {}}}"),
    "the journal": ("sqlite:///rotator.db", "{}"),
    "what is included": ("providers:\n", "include: {}\nproviders:\n"),
}


def unsaid(secret: str, error: ConfigError) -> None:
    told = "".join(traceback.format_exception(error)) + repr(error) + error.message + error.hint + repr(error.args)
    assert secret not in told
    assert BODY not in told
    assert "hunter2" not in told


@pytest.mark.parametrize("vendor", KEYS)
def test_every_form_is_recognised(vendor: str) -> None:
    form = recognise(f" {KEYS[vendor]}\n")
    assert form is not None
    assert form.vendor == vendor


@pytest.mark.parametrize("vendor", KEYS)
@pytest.mark.parametrize("place", [name for name, change in PLACES.items() if change[1] is not None])
def test_a_key_of_a_known_form_is_refused_wherever_it_stands(place: str, vendor: str, folder: Folder) -> None:
    before, after = PLACES[place]
    assert after is not None
    error = folder.refusal(changed(before, after.format(f'"{KEYS[vendor]}"')))
    unsaid(KEYS[vendor], error)
    assert vendor in error.message or place == "what is included"


@pytest.mark.parametrize("vendor", KEYS)
def test_a_key_in_a_template_is_refused(vendor: str, folder: Folder) -> None:
    error = folder.refusal(changed('{B: "{secret}"}', f'{{B: "{KEYS[vendor]} {{secret}}"}}'))
    unsaid(KEYS[vendor], error)
    assert vendor in error.message


UNKNOWN = "Tr0ub4dor&3"
NAMED = {
    "the admin credential": ("env:KS_ADMIN", UNKNOWN),
    "a token": ("root: store", f"auth: {{token: {UNKNOWN}}}"),
    "a list of tokens": ("root: store", f"auth: {{token: [{UNKNOWN}]}}"),
    "a table of tokens": ("root: store", f"token: {{value: {UNKNOWN}}}"),
    "a password": ("root: store", f"password: {UNKNOWN}"),
    "a password of a provider": ("env:KS_ADMIN", f"env:KS_ADMIN, db_password: {UNKNOWN}"),
    "a password of digits": ("root: store", "password: 12345678"),
    "a secret id": ("root: store", f"auth: [{{secret_id: {UNKNOWN}}}]"),
    "another's admin": ("root: store", f"admin: {UNKNOWN}"),
    "in capitals": ("root: store", f"API_KEY: {UNKNOWN}"),
    "a token of a principal": ("{principal: agents}", f"{{token: {UNKNOWN}}}"),
    "the installation's key": ("file:installation.key", UNKNOWN),
    "the journal's password": ("sqlite:///rotator.db", f"{{url: 'postgresql://a@b/c', password: '{UNKNOWN}'}}"),
    "a webhook's token": ("policies:", f"consumers: {{a: {{reload: {{token: {UNKNOWN}}}}}}}\npolicies:"),
    "where {secret} belongs": ('{B: "{secret}"}', f"{{B: {UNKNOWN}}}"),
    "after a variable's scheme": ("env:KS_ADMIN", f"env:{UNKNOWN}"),
    "after an unknown scheme": ("env:KS_ADMIN", f"pass:{UNKNOWN}"),
    "unquoted, as an alias": ("env:KS_ADMIN", f"*{UNKNOWN}"),
    "unquoted, as an anchor": ("env:KS_ADMIN", f"&{UNKNOWN}"),
    "unquoted, as a tag": ("env:KS_ADMIN", f"!{UNKNOWN}"),
    "unquoted, as a directive": ("env:KS_ADMIN", f"%{UNKNOWN}"),
    "unquoted, with a colon": ("{driver: keyserver, admin: env:KS_ADMIN, ", f"\n    admin: a: {UNKNOWN}\n    x: {{"),
}


@pytest.mark.parametrize("case", NAMED.values(), ids=NAMED)
def test_a_secret_of_no_known_form_is_refused_where_one_is_expected(case: tuple[str, str], folder: Folder) -> None:
    error = folder.refusal(changed(*case))
    assert UNKNOWN not in error.message + error.hint + repr(error)
    assert "12345678" not in error.message + error.hint


def test_references_are_no_secrets(folder: Folder) -> None:
    text = changed("root: store", "root: store, auth: {token: file:token, password: env:P, keys: 3, api_key: null}")
    assert list(folder.load(text).stores) == ["files"]


def test_a_template_of_a_url_is_no_secret() -> None:
    assert contains_key("postgresql://{user}:{password}@db/app") is None
    assert contains_key("https://vault.internal:8200/v1") is None
    assert contains_key("postgresql://{user}:fixed@db/app") is not None


def test_a_form_within_a_word_is_none() -> None:
    assert contains_key(f"risk-{BODY}") is None
    assert contains_key(f"x risk-{BODY} sk-{BODY}") is not None


@pytest.mark.parametrize(
    "word", ["openai-prod", "eu-west-1", "2026-12-20/2027-01-03", "Mon-Fri", "sqlite:///rotator.db"]
)
def test_ordinary_words_may_be_repeated(word: str) -> None:
    assert masked(word) == word
    assert shown(word) == f"'{word}'"


@pytest.mark.parametrize("word", [BODY, base64.b64encode(bytes(range(24))).decode(), "3f8a9c2e7b1d4f60", f"x={BODY}"])
def test_what_looks_random_may_not(word: str) -> None:
    assert word not in masked(f"the word {word} here")


@pytest.mark.parametrize(
    ("name", "secret"),
    [("token", True), ("DB_PASSWORD", True), ("tokens_per_minute", False), ("external_secret", False)],
)
def test_settings_that_must_refer_are_known_by_their_names(name: str, secret: bool) -> None:
    assert must_refer(name) is secret


def test_a_config_is_not_shown_with_its_settings(folder: Folder) -> None:
    config = folder.load(changed("root: store", f"root: store, note: {UNKNOWN}"))
    assert UNKNOWN not in repr(config)


def test_the_good_config_is_good(folder: Folder) -> None:
    assert set(folder.load(GOOD).credentials) == {"one", "two"}


RANDOM = "Xk29fLq8Zr41Vt77Ab"
MISPLACED = {
    "as a name": ("policy: standard", f"{RANDOM}: x"),
    "as a name, twice": ("policy: standard", f"{RANDOM}: x\n    {RANDOM}: x"),
    "as a duration": ("every: 30d", f"every: {RANDOM}"),
    "as a setting of a policy": ("every: 30d", f"every: 30d, {RANDOM}: 1"),
    "as a policy": ("policy: standard", f"policy: {RANDOM}"),
    "as a store": ("ref: a.json, fields: {B", f"ref: a.json, store: {RANDOM}, fields: {{B"),
    "as a rate": ("env:KS_ADMIN", f"env:KS_ADMIN, rate: {RANDOM}"),
    "as what is included": ("providers:\n", f"include: {RANDOM}\nproviders:\n"),
    "as the lease": ("providers:\n", f"defaults: {{lease: {RANDOM}}}\nproviders:\n"),
}


@pytest.mark.parametrize("case", MISPLACED.values(), ids=MISPLACED)
def test_what_looks_random_is_not_repeated_in_any_complaint(case: tuple[str, str], folder: Folder) -> None:
    error = folder.refusal(changed(*case))
    assert RANDOM not in error.message + error.hint + repr(error)
