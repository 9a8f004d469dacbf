"""Cassandra: history for queries, accounts and conversations.

    session = CassandraSession(CassandraConfig(hosts=("127.0.0.1",)))
    session.start()                      # connects in the background and keeps at it
    await migrate(session, replication_factor=1)
    reader = CassandraMessageReader(session)

Nothing here is read to write: every write commutes, or is a lightweight transaction.
"""
