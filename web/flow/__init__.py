"""What flows through the whole system now, for operators: rates, delays, lag, the ledger."""
