"""The news as every kind of telling sends it: one JSON object, the same each time, and an id to know it again by."""

from __future__ import annotations

import json
from hashlib import sha256

from rotator.domain.consumers import News
from rotator.domain.times import format_time


def identity(consumer: str, news: News) -> str:
    """Equal for the same news to the same consumer, however often it is told; else different."""
    told = "\n".join((news.what.value, news.rotation, format_time(news.at), consumer))
    return f"msg_{sha256(told.encode()).hexdigest()[:32]}"


def body(consumer: str, news: News) -> bytes:
    """Compact JSON: `type`, `timestamp` (when it happened) and `data`. Never a value of a key."""
    data = {
        "credential": news.credential,
        "rotation": news.rotation,
        "consumer": consumer,
        "stores": [{"store": each.store, "ref": each.ref, "version": each.version} for each in news.places],
    }
    whole = {"type": news.what.value, "timestamp": format_time(news.at), "data": data}
    return json.dumps(whole, separators=(",", ":"), ensure_ascii=True).encode()
