"""How people are told: one file for each way, the texts that all of them send, and the queue before each target."""
