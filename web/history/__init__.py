"""What was sent and what became of it: memory, Cassandra and the log as one view."""
