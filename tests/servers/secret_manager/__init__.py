"""A Secret Manager on the official wire format, over REST and gRPC, on real sockets of loopback.

Requests, results and REST routes are those of google-cloud-secret-manager itself, so what a client sends is parsed by
Google's own types. The rules behind them are ours, written from the documentation, and differ from the service where
nothing here can tell:

- everything is consistent at once, but for `latest` where a test lets it lag; the service takes minutes, IAM as well;
- texts of errors are as people have quoted them, and codes of rare refusals are guesses;
- rate limits, organisation policies and keys of Cloud KMS refuse only where a test says so;
- conditions of IAM know `resource.name == '…'` and `.startsWith('…')`, and nothing of their eventual consistency;
- filters know `name:text`; replication, topics, rotation, expiry and tags are kept and do nothing.
"""

NAME = "GCP Secret Manager"
"""In the closing table, as what is stood in for."""
