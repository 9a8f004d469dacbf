"""Days of the delivery engine in seconds: the product's own code on a simulated clock, broker and provider.

A seed is the whole history: the same seed gives the same bytes. ``python -m support.days`` (see ``__main__.py``).
"""
