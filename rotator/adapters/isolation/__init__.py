"""Drivers in processes of their own: each sees one admin credential and the operator's hosts. See docs/isolation.md.

closures   which files make a driver          processes  one child: frames, questions, its end
copies     private copies of those files      keeping    started when needed, again after its end, stopped when idle
pins       what they were when approved       provider   the ports, behind a child
egress     who may be connected to            store
questions  what a child asks of its parent   redaction  no secret in what a driver says
"""
