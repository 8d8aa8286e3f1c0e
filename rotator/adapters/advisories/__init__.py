"""OSV records: read from wherever they lie, strictly, and held against components, offline. See docs/audit.md.

sources    a directory, a zip, one file     records    one record, from JSON
archive    a zip, bounded                   versions   how versions are ordered
download   a zip from a URL, bounded        matching   whether a record is about a version
matcher    a whole feed against components
"""
