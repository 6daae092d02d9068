"""Admission: what one caller may take of a process that has a door (docs/door.md).

Everything is counted as it arrives, before a request is complete and before its key is known to be good. This package decides and
counts; it does no I/O and knows no protocol.
"""
