"""Live notifications: what the follower reads from Kafka, pushed over WebSocket to those whom it concerns.

follower ──> hub (who is concerned? in order) ──> connections
                                                    ▲
a cursor (``since``) ──> replayer (reads the log) ──┘  first what was missed, then live, without a gap
"""
