"""The `aws` store: AWS Secrets Manager."""

from rotator.adapters.stores.aws.store import AwsStore

__all__ = ["AwsStore"]
