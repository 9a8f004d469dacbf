"""The history of messages: Cassandra, the recent messages in memory, and the log."""
