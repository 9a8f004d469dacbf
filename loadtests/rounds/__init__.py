"""The rebalance rounds, the acceptance experiment of our consumer; see ``docs/rounds.md``."""
