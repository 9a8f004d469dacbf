"""Who takes part in which conversation."""
