"""The providers' protocols as a real HTTP server, with people who answer: it stands in for Meta and Telegram.

``whatsapp/``, ``instagram/`` and ``telegram/`` know the protocols; ``graph/`` is what the two of Meta share.
``phones.py`` is the book of people, ``network.py`` decides about a message between an account and a person.
``posting.py`` posts signed webhooks. ``chaos.py`` is the misbehaviour, ``books.py`` the counted truth. ``control/`` is
the REST interface to people, chaos and counts; ``server.py`` makes all of it.
"""
