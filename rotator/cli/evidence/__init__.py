"""The evidence of an incident as people get it: one page that needs nothing else, and one object."""
