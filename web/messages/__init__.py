"""Accepting messages and writing them to the log."""
