"""The journal on SQLite: `opening` for the real one, `readonly` for a quick look. This file loads neither."""
