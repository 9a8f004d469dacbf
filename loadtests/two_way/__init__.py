"""Chaos in both directions: real connectors, the simulator of the providers, and people who write and answer."""
