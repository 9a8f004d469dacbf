"""Telegram's Bot API 10.1.

``parameters.py`` reads calls in each of their forms, ``content.py`` what they send. ``webhooks.py`` builds updates,
``updates.py`` keeps them for ``getUpdates`` or posts them. ``methods.py`` and ``routes.py`` are the HTTP.
"""
