"""Load, benchmarks and the harness that runs a whole system for them (and for the end-to-end tests)."""
