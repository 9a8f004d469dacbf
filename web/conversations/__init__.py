"""Conversations: participants, memberships, listing, usernames."""
