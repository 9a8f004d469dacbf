"""The ``chat4all`` command: what starts, supervises and tries out the other parts."""
