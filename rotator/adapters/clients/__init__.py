"""What several adapters talk through: a deadline, what is at a reference, and the one client that two of them share."""
