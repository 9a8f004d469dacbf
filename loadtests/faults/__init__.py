"""The fault matrix: each fault on real servers and processes, with an exact ledger and an audit afterwards."""
