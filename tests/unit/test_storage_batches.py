"""How writes to Cassandra are grouped and packed."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from storage.cassandra.batches import Write, group_by_replicas, pack

sizes = st.lists(st.integers(1, 120), max_size=60)


@given(sizes, st.integers(1, 10), st.integers(1, 100))
def test_every_write_is_packed_once_in_order_and_within_both_bounds(sizes, max_statements, max_bytes):
    writes = [Write(n, size) for n, size in enumerate(sizes)]
    batches = list(pack(writes, max_statements, max_bytes))
    assert [write for batch in batches for write in batch] == writes
    for batch in batches:
        assert 1 <= len(batch) <= max_statements
        assert len(batch) == 1 or sum(write.size_bytes for write in batch) <= max_bytes


def a_link(replicas: dict[bytes, list[str]], hosts: list[str]) -> SimpleNamespace:
    metadata = SimpleNamespace(all_hosts=lambda: hosts, get_replicas=lambda keyspace, key: replicas[key])
    return SimpleNamespace(cluster=SimpleNamespace(metadata=metadata), config=SimpleNamespace(keyspace="k"))


def test_one_node_makes_one_group():
    writes = [Write(SimpleNamespace(routing_key=b"a"), 1), Write(SimpleNamespace(routing_key=b"b"), 1)]
    assert group_by_replicas(a_link({}, ["n1"]), writes) == [writes]


def test_a_group_is_a_set_of_replicas_whatever_their_order():
    replicas = {b"a": ["n1", "n2"], b"b": ["n2", "n1"], b"c": ["n2", "n3"]}
    writes = [Write(SimpleNamespace(routing_key=key), 1) for key in (b"a", b"b", b"c", b"a")]
    groups = group_by_replicas(a_link(replicas, ["n1", "n2", "n3"]), writes)
    assert groups == [[writes[0], writes[1], writes[3]], [writes[2]]]
