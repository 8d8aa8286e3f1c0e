"""Who is behind a package, as far as a package index tells (PEP 691 and what was added to it). See docs/audit.md.

asking   one index over HTTPS, bounded          signals      what follows for one version
project  one project's page, from JSON          provenance   who published it, before and now
judging  many components, a few at a time
"""
