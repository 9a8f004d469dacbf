"""The server's commands of ``chat4all``: start, supervise and try out the other parts."""
