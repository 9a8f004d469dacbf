"""Measures of the console in a real Chromium, against a running system."""
