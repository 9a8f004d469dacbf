"""Chaos from a seed, for the simulated provider and for the simulator: pure.

``faults.py`` is the misbehaviour as data. ``decisions.py`` and ``receipts.py`` choose from it by seed and token, with
the repeatable numbers of ``chance.py``.
"""
