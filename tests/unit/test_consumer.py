"""The consumer's books and its loop, case by case. ``test_consumer_machine.py`` goes through them at random."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from support.waiting import stays
from tests.unit.consumer_on_paper import TPS, Paper, assign, fetch, make_consumer, rebalance, revoke

TP0, TP1 = TPS


@pytest.fixture
async def paper(tmp_path: Path) -> Paper:
    consumer, broker, delivered = make_consumer(tmp_path)
    for _ in range(9):
        broker.append(TP0)
    await assign(consumer)
    return consumer, broker, delivered


async def test_batches_follow_each_other_without_a_hole(paper: Paper) -> None:
    consumer, _, delivered = paper
    for _ in range(4):
        await fetch(consumer)
    assert [(batch.start, batch.end) for batch in delivered] == [(0, 3), (3, 6), (6, 9)]


async def test_only_the_contiguous_prefix_is_committed(paper: Paper) -> None:
    consumer, broker, delivered = paper
    for _ in range(3):
        await fetch(consumer)
    consumer.complete(delivered[2])
    await consumer.commit()
    assert broker.commit_requests == []
    consumer.complete(delivered[0])
    await consumer.commit()
    assert broker.committed == {TP0: 3}
    consumer.complete(delivered[1])
    await consumer.commit()
    assert broker.committed == {TP0: 9}


async def test_a_refused_commit_is_sent_again(paper: Paper) -> None:
    consumer, broker, delivered = paper
    await fetch(consumer)
    consumer.complete(delivered[0])
    broker.refuses_commits = True
    assert not await consumer.commit()
    broker.refuses_commits = False
    assert await consumer.commit()
    assert broker.committed == {TP0: 3}


async def test_what_is_completed_during_a_commit_goes_into_the_next(paper: Paper) -> None:
    consumer, broker, delivered = paper
    await fetch(consumer)
    await fetch(consumer)
    consumer.complete(delivered[0])

    async def complete_another() -> None:
        consumer.complete(delivered[1])

    broker.during_commit = complete_another
    await consumer.commit()
    await consumer.commit()
    assert broker.commit_requests == [{TP0: 3}, {TP0: 6}]


async def test_a_commit_that_returns_after_a_rebalance_does_not_touch_the_new_books(paper: Paper) -> None:
    consumer, broker, delivered = paper
    await fetch(consumer)
    consumer.complete(delivered[0])
    broker.refuses_commits = True
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        arrived.set()
        await go_on.wait()

    broker.during_commit = hold
    commit = asyncio.create_task(consumer.commit())
    await arrived.wait()
    broker.during_commit = None
    consumer._epoch += 1  # as a revocation does
    await consumer.perform_seek()
    go_on.set()
    await commit
    assert consumer._committed_offset[TP0] == 0
    await fetch(consumer)
    assert (delivered[-1].start, delivered[-1].end) == (0, 3)


async def test_what_is_drained_at_a_revocation_is_committed_although_a_commit_is_on_its_way(paper: Paper) -> None:
    consumer, broker, delivered = paper
    await fetch(consumer)
    await fetch(consumer)
    consumer.complete(delivered[0])
    go_on = asyncio.Event()
    broker.during_commit = go_on.wait
    commit = asyncio.create_task(consumer.commit())

    async def drain() -> None:
        consumer.complete(delivered[1])
        asyncio.get_running_loop().call_later(0.02, go_on.set)

    consumer.app.on_drain(drain)
    await asyncio.sleep(0)
    await revoke(consumer)
    await commit
    assert broker.committed == {TP0: 6}


async def test_a_stale_batch_moves_nothing(paper: Paper) -> None:
    consumer, broker, delivered = paper
    await fetch(consumer)
    await rebalance(consumer)
    assert not consumer.is_current(delivered[0])
    consumer.complete(delivered[0])
    await consumer.commit()
    assert broker.commit_requests == []


async def test_after_the_last_commit_of_a_stop_no_batch_is_current(paper: Paper) -> None:
    consumer, _, delivered = paper
    await fetch(consumer)
    await consumer.wait_empty()
    assert not consumer.is_current(delivered[0])


async def test_faults_own_acks_move_nothing(paper: Paper) -> None:
    consumer, broker, delivered = paper
    await fetch(consumer)
    message = consumer._batch_message(delivered[0])
    assert not consumer.ack(message)
    await consumer.commit()
    assert broker.commit_requests == []


async def test_a_partition_that_is_no_longer_assigned_is_not_committed_and_not_forgotten(paper: Paper) -> None:
    consumer, broker, delivered = paper
    broker.append(TP1)
    await fetch(consumer)
    for batch in delivered:
        consumer.complete(batch)
    broker.assigned = {TP1}
    await consumer.commit()
    assert broker.committed == {TP1: 1}
    broker.assigned = set(TPS)
    await consumer.commit()
    assert broker.committed == {TP0: 3, TP1: 1}


async def test_records_that_were_fetched_and_dropped_are_fetched_again(paper: Paper) -> None:
    consumer, broker, delivered = paper
    broker.fetch(TP0, 4)  # dropped on the way
    await fetch(consumer)  # 4 comes, 0 is wanted: asks again
    assert delivered == []
    await fetch(consumer)
    assert (delivered[0].start, delivered[0].records[0].offset) == (0, 0)


async def test_a_hole_in_the_log_is_covered_by_the_batch_after_it(tmp_path: Path) -> None:
    consumer, broker, delivered = make_consumer(tmp_path)
    broker.append(TP0)
    await assign(consumer)
    await fetch(consumer)
    broker.append(TP0, hole=5)
    await fetch(consumer)
    await fetch(consumer)
    assert [(batch.start, batch.end, len(batch.records)) for batch in delivered] == [(0, 1, 1), (1, 7, 1)]


@pytest.mark.parametrize(
    ("committed", "first", "end", "start"),
    [(4, 0, 9, 4), (None, 0, 9, 0), (-1, 3, 9, 3), (4, 6, 9, 6), (4, 9, 9, 9), (20, 0, 9, 0), (9, 0, 9, 9)],
    ids=["a commit", "none", "none, old log", "truncated", "truncated to nothing", "log is shorter", "caught up"],
)
async def test_work_begins_where_commit_and_log_agree(
    paper: Paper, committed: int | None, first: int, end: int, start: int
) -> None:
    consumer, broker, delivered = paper
    broker.committed = {} if committed is None else {TP0: committed}
    broker.truncate(TP0, first)
    await rebalance(consumer)
    assert consumer._read_offset[TP0] == consumer._committed_offset[TP0] == start
    await fetch(consumer)
    assert [batch.start for batch in delivered] == ([start] if start < end else [])


async def test_records_that_retention_removed_unread_are_told_loudly_at_the_start_and_on_the_way(
    paper: Paper, caplog: pytest.LogCaptureFixture
) -> None:
    consumer, broker, delivered = paper
    lost: list[tuple[str, int]] = []
    consumer.app.metrics.removed_unread = lambda topic, count: lost.append((topic, count))
    broker.committed = {TP0: 1}
    broker.truncate(TP0, 2)
    await rebalance(consumer)
    assert lost == [(TP0.topic, 1)]
    assert "retention removed records 1 to 1 before they were processed" in caplog.text
    await fetch(consumer)
    for _ in range(5):
        broker.append(TP0)
    want = consumer._read_offset[TP0]
    broker.truncate(TP0, want + 3)
    for _ in range(3):
        await fetch(consumer)
    assert lost[1:] == [(TP0.topic, 3)]
    assert want + 3 in [batch.records[0].offset for batch in delivered]


async def test_an_offset_that_never_held_a_record_is_no_loss(paper: Paper) -> None:
    consumer, broker, _ = paper
    lost: list[int] = []
    consumer.app.metrics.removed_unread = lambda topic, count: lost.append(count)
    broker.append(TP0, hole=3)
    for _ in range(3):
        await fetch(consumer)
    assert lost == []


async def test_a_hand_over_to_a_full_queue_ends_with_the_rebalance_and_leaves_nothing_behind(paper: Paper) -> None:
    consumer, _, delivered = paper
    consumer.app.flow_control.suspend()  # as good as a full queue
    delivery = asyncio.create_task(fetch(consumer))
    await stays(lambda: not delivery.done())
    await revoke(consumer)
    await asyncio.wait_for(delivery, 1)
    await assign(consumer)
    assert delivered == []
    await fetch(consumer)
    assert (delivered[0].start, delivered[0].end) == (0, 3)


async def test_source_partitions_flow_only_after_the_queues_were_cleared(paper: Paper) -> None:
    consumer, _, _ = paper
    await revoke(consumer)
    consumer._set_active_tps(consumer.assignment())
    consumer.pause_partitions(consumer.assignment())
    consumer.resume_flow()  # a recovery reads its changelogs now
    consumer.resume_partitions(consumer.assignment())
    assert consumer._active_partitions == set()
    await consumer.perform_seek()
    consumer.resume_flow()
    assert consumer._active_partitions == set(TPS)


async def test_a_member_that_kafka_let_go_during_its_recovery_begins_nothing_until_it_has_joined_again(
    paper: Paper,
) -> None:
    consumer, broker, _ = paper
    begun: list[bool] = []
    consumer.app.on_assigned(lambda: begun.append(broker.is_let_go))
    await revoke(consumer)
    consumer._set_active_tps(consumer.assignment())
    consumer.pause_partitions(consumer.assignment())
    consumer.resume_partitions(consumer.assignment())
    await consumer.perform_seek()
    broker.is_let_go = True
    consumer.resume_flow()
    assert consumer._active_partitions == set()
    assert begun == []
    broker.is_let_go = False
    consumer.resume_flow()  # Faust's, before the next recovery has put the partitions where they go on
    assert begun == []
    await revoke(consumer)
    await assign(consumer)
    assert consumer._active_partitions == set(TPS)
    assert begun == [False]


async def test_a_drained_queue_does_not_wake_a_partition_that_is_paused_for_a_rebalance(paper: Paper) -> None:
    consumer, _, _ = paper
    consumer.on_buffer_full(TP0)
    assert TP0 not in consumer._active_partitions
    await revoke(consumer)
    consumer.on_buffer_drop(TP0)
    assert TP0 not in consumer._active_partitions
