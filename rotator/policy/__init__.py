"""When to rotate and why: pure functions, no clock of their own, no I/O, standard library only."""
