"""People with peculiar numbers, the same as of the simulation inside the workers (docs/simulated-channels.md)."""

from __future__ import annotations

from simulator.phones import PhoneBook, Reads

ALWAYS_FAILS, IS_UNKNOWN, IS_THROTTLED, NEVER_DELIVERED, NEVER_READS = (f"1202555010{n}" for n in range(1, 6))


def add_peculiar_people(phones: PhoneBook) -> None:
    """Make them; the numbers are of a range that is reserved for fiction."""
    phones.make(number=ALWAYS_FAILS, name="Always fails").refuses = 131026
    phones.make(number=IS_UNKNOWN, name="Is unknown").refuses = 131030
    phones.make(number=IS_THROTTLED, name="Is throttled").throttles = 2
    phones.make(number=NEVER_DELIVERED, name="Never delivered").is_online = False
    phones.make(number=NEVER_READS, name="Never reads").reads = Reads.NEVER
