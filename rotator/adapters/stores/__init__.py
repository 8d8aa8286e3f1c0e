"""Stores: where consumers read. One file per driver, and beside them what a driver is made of."""
