"""Lockfiles and bills of materials, read into components: `reading` for the way in. This file loads nothing."""
