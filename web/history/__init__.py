"""The history of messages: Cassandra, the recent messages in memory, and the log.

``service.MessageHistory`` is the one read model. ``cursor``, ``facts`` and ``published_state`` hold the types for other
rooms. The remaining modules are private to this room; server and bootstrap build the memory and its tailer.
"""
