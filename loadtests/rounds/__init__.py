"""The rebalance rounds: the experiment that our consumer has to pass. ``docs/rounds.md`` tells what it does."""
