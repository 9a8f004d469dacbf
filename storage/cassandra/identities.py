"""Linked identities."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from cassandra.query import BatchStatement, BatchType

from domain.errors import AlreadyExists, Conflict, NotFound, StoreUnavailable
from domain.ports import MAX_IDENTITIES, Identity
from storage.cassandra.driver_session import Access
from storage.cassandra.facts import is_possible_key
from storage.cassandra.session import CassandraSession

_CLAIMANTS = 16  # of an address, read at once; more than these are more than one in any case
_RETRY_SECONDS = 0.05

# transactions: their order is Cassandra's, not that of the clocks of several API processes
_CLAIM = "INSERT INTO {ks}.identity_claims (address, user_id) VALUES (?, ?) IF NOT EXISTS"
_RELEASE = "DELETE FROM {ks}.identity_claims WHERE address = ? AND user_id = ? IF EXISTS"
_PROVE = "UPDATE {ks}.identity_claims SET verified_by = ? WHERE address = ? IF verified_by = null"
_UNPROVE = "UPDATE {ks}.identity_claims SET verified_by = null WHERE address = ? IF verified_by = ?"
_CLAIMS = (
    "SELECT address, user_id, verified_by FROM {ks}.identity_claims WHERE address IN ?"
    f" PER PARTITION LIMIT {_CLAIMANTS}"
)
_COUNT = "UPDATE {ks}.identities_by_user SET version = ? WHERE user_id = ? IF version = ?"
_LIST = "INSERT INTO {ks}.identities_by_user (user_id, address, verified, linked_at_ms) VALUES (?, ?, ?, ?)"
_UNLIST = "DELETE FROM {ks}.identities_by_user WHERE user_id = ? AND address = ? IF EXISTS"
_LISTED = "SELECT version, address, verified, linked_at_ms FROM {ks}.identities_by_user WHERE user_id = ?"
_STILL_LISTED = "SELECT user_id, linked_at_ms FROM {ks}.identities_by_user WHERE user_id IN ? AND address = ?"
# the table of releases in which an address was of one user alone
_OLDER = "SELECT address, user_id, verified, linked_at_ms FROM {ks}.identities WHERE address IN ?"
_RELEASE_OLDER = "DELETE FROM {ks}.identities WHERE address = ? IF user_id = ?"


@dataclass
class _Address:
    """The rows of an address: its possible claimants, and its row of an older release."""

    claimants: set[str] = field(default_factory=set)
    verified_by: str | None = None
    older: Any = None


class CassandraIdentityStore:
    """``domain.ports.IdentityStore`` on Cassandra.

    The user's list decides. An address is claimed before it is listed and released after it was taken off the list,
    so every user with the address on the list is among its claimants. A crash in between leaves a stale claim;
    readers check each claim against the user's list.
    """

    def __init__(self, session: CassandraSession) -> None:
        self._session = session

    async def link(self, identity: Identity) -> Identity:
        """Return the identity as it stands. Raises ``AlreadyExists``, ``Conflict``, ``StoreUnavailable``
        (link it again)."""
        user_id, address = identity.user_id, f"{identity.platform}:{identity.value}"
        async with self._session.deadline():
            await self._require_unproven(address, identity)
            is_claimed = False
            while True:
                version, known = await self._listed(user_id)
                if address in known:
                    break
                if len(known) >= MAX_IDENTITIES:
                    if is_claimed:
                        await self._session.run(_RELEASE, (address, user_id), Access.CONDITIONAL)
                    raise Conflict(f"a user has at most {MAX_IDENTITIES} identities; unlink one first")
                if not is_claimed:
                    await self._session.run(_CLAIM, (address, user_id), Access.CONDITIONAL)
                    is_claimed = True
                if await self._list(identity, address, version):
                    break
                await asyncio.sleep(random.uniform(0, _RETRY_SECONDS))
            linked = {f"{one.platform}:{one.value}": one for one in await self.of_user(user_id)}
        if address not in linked:
            raise StoreUnavailable("it was unlinked in the same moment")
        return linked[address]

    async def unlink(self, user_id: str, platform: str, value: str) -> None:
        """Raises ``NotFound``, ``StoreUnavailable`` (unlink it again)."""
        unknown = NotFound(f"no such {platform} address is linked to you")
        address = f"{platform}:{value}"
        if not is_possible_key(address) or not is_possible_key(user_id):
            raise unknown
        async with self._session.deadline():
            standing = await self._standing(user_id)
            if not (await self._session.run(_UNLIST, (user_id, address), Access.CONDITIONAL))[0]["[applied]"]:
                raise unknown
            with suppress(StoreUnavailable):  # readers skip a stale claim
                await self._session.run(_RELEASE, (address, user_id), Access.CONDITIONAL)
                await self._session.run(_RELEASE_OLDER, (address, user_id), Access.CONDITIONAL)
                await self._session.run(_UNPROVE, (address, user_id), Access.CONDITIONAL)
        if address not in standing:
            raise unknown

    async def of_user(self, user_id: str) -> Sequence[Identity]:
        """Return the user's identities by platform and value. Raises ``StoreUnavailable``."""
        if not is_possible_key(user_id):
            return []
        async with self._session.deadline():
            standing = await self._standing(user_id)
            found = await asyncio.gather(
                *(self._is_contested(address, known, user_id) for address, (_, known) in standing.items())
            )
        identities = []
        for (address, ((verified, linked_at_ms), _)), contested in zip(standing.items(), found, strict=True):
            platform, _, value = address.partition(":")
            identities.append(Identity(user_id, platform, value, verified, linked_at_ms, contested))
        return sorted(identities, key=lambda one: (one.platform, one.value))

    async def owner(self, platform: str, value: str) -> str | None:
        """Return the user with proof of this address, else its only claimant. Raises ``StoreUnavailable``."""
        address = f"{platform}:{value}"
        if not is_possible_key(address):
            return None
        async with self._session.deadline():
            known = (await self._addresses([address]))[address]
            if known.verified_by is not None or not known.claimants:
                return known.verified_by
            claimants = await self._still_listed(address, known, known.claimants)
        return claimants.pop() if len(claimants) == 1 and len(known.claimants) < _CLAIMANTS else None

    async def _require_unproven(self, address: str, identity: Identity) -> None:
        if identity.verified:
            row = (await self._session.run(_PROVE, (identity.user_id, address), Access.CONDITIONAL))[0]
            verified_by = identity.user_id if row["[applied]"] else row["verified_by"]
        else:
            verified_by = (await self._addresses([address]))[address].verified_by
        if verified_by not in (None, identity.user_id):
            raise AlreadyExists(f"another user has proven that this {identity.platform} address is theirs")

    async def _listed(self, user_id: str) -> tuple[int | None, dict[str, tuple[bool | None, int | None]]]:
        rows = await self._session.run(_LISTED, (user_id,), Access.READ)
        version = rows[0][0] if rows else None
        return version, {address: (verified, at_ms) for _, address, verified, at_ms in rows if address is not None}

    async def _list(self, identity: Identity, address: str, version: int | None) -> bool:
        """Put the identity on its user's list; return ``False`` if the list has another version by now."""
        driver = await self._session.driver()
        batch = BatchStatement(BatchType.UNLOGGED)
        counted = ((version or 0) + 1, identity.user_id, version)
        listed = (identity.user_id, address, identity.verified, identity.linked_at_ms)
        for cql, values in ((_COUNT, counted), (_LIST, listed)):
            batch.add((await driver.prepare(cql, Access.CONDITIONAL)).bind(values))
        return bool((await self._session.submit(driver, batch, Access.CONDITIONAL))[0]["[applied]"])

    async def _standing(self, user_id: str) -> dict[str, tuple[tuple[bool, int], _Address]]:
        """Return the user's addresses, each with (verified, linked_at_ms) and the address's rows."""
        _, listed = await self._listed(user_id)
        addresses = await self._addresses(list(listed))
        standing = {}
        for address, (verified, linked_at_ms) in listed.items():
            known = addresses[address]
            if linked_at_ms is not None:
                standing[address] = ((bool(verified), linked_at_ms), known)
                if user_id not in known.claimants and len(known.claimants) < _CLAIMANTS:
                    # it was unlinked and linked at once: the one's release came after the other's claim
                    await self._session.run(_CLAIM, (address, user_id), Access.CONDITIONAL)
            elif known.older is not None and known.older[1] == user_id:
                standing[address] = ((bool(known.older[2]), known.older[3]), known)
        return standing

    async def _addresses(self, addresses: list[str]) -> Mapping[str, _Address]:
        found: defaultdict[str, _Address] = defaultdict(_Address)
        if not addresses:
            return found
        claims, older = await asyncio.gather(
            self._session.run(_CLAIMS, (addresses,), Access.READ),
            self._session.run(_OLDER, (addresses,), Access.READ),
        )
        for address, user_id, verified_by in claims:
            found[address].verified_by = verified_by
            if user_id is not None:
                found[address].claimants.add(user_id)
        for row in older:
            found[row[0]].older = row
            found[row[0]].claimants.add(row[1])
        return found

    async def _is_contested(self, address: str, known: _Address, user_id: str) -> bool:
        if known.verified_by is not None:
            return known.verified_by != user_id
        others = known.claimants - {user_id}
        if not others:
            return False
        return len(known.claimants) >= _CLAIMANTS or bool(await self._still_listed(address, known, others))

    async def _still_listed(self, address: str, known: _Address, claimants: set[str]) -> set[str]:
        """Return the ``claimants`` with the address on their list."""
        rows = await self._session.run(_STILL_LISTED, (sorted(claimants), address), Access.READ)
        older = known.older and known.older[1]
        return {user_id for user_id, linked_at_ms in rows if linked_at_ms is not None or user_id == older}
