"""Metrics: what is counted where it happens, what a journal tells in numbers, and a listener that shows both.

prometheus-client is imported by `exposing` and `serving` alone; what counts is the standard library's.
"""
