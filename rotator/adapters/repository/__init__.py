"""Git repositories, read: `history` for the way in. This file loads nothing."""
