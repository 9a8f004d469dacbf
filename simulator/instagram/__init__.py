"""Instagram's messaging: ``validation.py`` reads calls, ``webhooks.py`` builds reports, ``calls.py`` is the HTTP."""
