"""What of a config is followed before it can be compared with what was approved."""

from __future__ import annotations

from rotator.config.opening import opening_of

STORES = {
    "v": {"driver": "vault", "auth": {"secret_id": "w:deep#x"}},
    "w": {"driver": "vault", "token": "file:t"},
    "files": {"driver": "file", "root": "store"},
}
URL = "postgresql://x@db/y"


def test_only_the_stores_that_open_the_journal_count_and_those_that_these_name() -> None:
    tree = {
        "state": {"url": URL, "password": "v:a/b#c"},
        "installation": {"key": "file:k"},
        "stores": STORES,
        "defaults": {"isolation": "off", "parallel": 3},
        "credentials": {"one": {}},
    }
    assert opening_of(tree, URL) == {
        "state": {"url": URL, "password": "v:a/b#c"},
        "installation": {"key": "file:k"},
        "stores": {"v": STORES["v"], "w": STORES["w"]},
        "defaults": {"isolation": "off"},
    }


def test_files_and_variables_need_no_store() -> None:
    tree = {"installation": {"key": "env:KEY"}, "stores": STORES, "defaults": {"isolation": "off"}}
    assert opening_of(tree, "sqlite:///x.db") == {
        "state": {"url": "sqlite:///x.db"},
        "installation": {"key": "env:KEY"},
    }
