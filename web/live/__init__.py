"""Live notifications: records read from Kafka, pushed over WebSocket to the participants of their conversation.

tailer ──> hub (finds the participants, keeps the order) ──> connections
                                                              ▲
a cursor (``since``) ──> replayer (reads the log) ────────────┘  first the missed events, then live, without a gap
"""
