"""Decisions of Chat4All, without I/O, clock or environment: everything here is a pure function or a value."""
