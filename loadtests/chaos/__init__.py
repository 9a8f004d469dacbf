"""Chaos: many messages through a provider that misbehaves, while workers are killed, frozen and rebalanced."""
