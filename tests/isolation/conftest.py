"""Fixtures for drivers in processes of their own."""

from tests.isolation.children import copies, start
from tests.isolation.strangers import strangers

__all__ = ["copies", "start", "strangers"]
