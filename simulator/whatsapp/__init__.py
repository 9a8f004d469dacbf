"""WhatsApp's Cloud API.

``validation.py`` reads calls, ``webhooks.py`` builds reports; ``calls.py`` and ``history.py`` are the HTTP.
"""
