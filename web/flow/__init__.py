"""The traffic of the whole system now, for operators: rates, delays, lag, the ledger."""
