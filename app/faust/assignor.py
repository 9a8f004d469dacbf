"""Assigns partitions to workers that keep their name and change their address.

Faust's assignor identifies a member by the address of its web server, because it routes table requests there. We do
not use these routes. It refuses an assignment made for another address. The broker gives a returning static member the
assignment kept by its group, so a worker on another port or host was refused its partitions until the group changed
(ADR 75).
"""

from __future__ import annotations

from typing import Any

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from faust.assignor.client_assignment import ClientMetadata
from faust.assignor.partition_assignor import PartitionAssignor
from yarl import URL


class NamedAssignor(PartitionAssignor):  # type: ignore[misc]
    """Identifies a member by ``worker://<instance>`` instead of its address. A failed assignment ends the worker.

    aiokafka would only log the failure: the worker would live on without partitions, and its group would wait for it.
    """

    @property
    def _url(self) -> URL:
        instance = self.app.settings.instance
        # without a name every life is another member, for which no group keeps an assignment
        return URL(f"worker://{instance}") if instance else self.app.conf.canonical_url

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Take the assignment made by the group's leader, or kept by the group."""
        try:
            super().on_assignment(self._addressed_to_us(assignment))
        except Exception as error:  # noqa: BLE001  also AssertionError: Faust checks by assertions
            self.app.abort("the assignment of partitions", error)

    def _addressed_to_us(self, assignment: ConsumerProtocolMemberAssignment) -> ConsumerProtocolMemberAssignment:
        """Return the assignment with our URL in it: a release before ADR 75 wrote an address there."""
        metadata: Any = ClientMetadata.loads(self._decompress(assignment.user_data))
        if metadata.url == str(self._url):
            return assignment
        metadata.url = str(self._url)
        user_data = self._compress(metadata.dumps())
        return ConsumerProtocolMemberAssignment(assignment.version, assignment.assignment, user_data)

    def assign(self, cluster: Any, member_metadata: Any) -> Any:
        """Share the partitions out, as the leader of the group."""
        try:
            return super().assign(cluster, member_metadata)
        except Exception as error:  # noqa: BLE001
            self.app.abort("the assignment of partitions", error)
