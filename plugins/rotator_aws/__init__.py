"""Keys that belong to users of AWS IAM: access keys (`aws_iam`) and long-term keys of Amazon Bedrock (`bedrock`).

Both are made, listed, switched off and deleted by IAM's query API, at most two of a kind for each user, and neither has
room for a mark. What both need stands in `iam.py` and below; what is their own in `access_keys.py` and `bedrock.py`.
"""

from __future__ import annotations

from .access_keys import AccessKeys
from .bedrock import BedrockKeys

__all__ = ["AccessKeys", "BedrockKeys"]
