"""The simulator's own REST interface: people, chaos, counts, accounts. No provider has anything like it."""
