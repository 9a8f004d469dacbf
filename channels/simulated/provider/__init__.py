"""A simulated provider that misbehaves, as a process of its own: it takes messages over HTTP and reports receipts.

``channels/simulated/chaos`` is its misbehaviour, by seed and token. ``books.py`` counts the taken messages, and
``receipt_sender.py`` reports receipts when they are due.
``protocol.py`` alone knows the form of a call and its answer; ``server.py`` is the process's HTTP.

It is not repeatable: a second call for the same token is a second message to the person.
"""
