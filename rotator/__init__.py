"""Rotates credentials without anybody noticing, and proves the old keys dead."""
