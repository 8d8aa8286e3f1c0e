"""The journal on PostgreSQL, for replicas: `opening` for the real one. This file loads nothing."""
