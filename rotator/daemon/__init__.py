"""The service: it runs for years, and rotates without anybody thinking of it."""
