"""The saga: what a rotation does, phase by phase, whatever dies."""
