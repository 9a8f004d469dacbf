"""The ledger of a running system: it follows the log and says whether each accepted message is accounted for."""
