"""The edges of the driver: its threads, its errors, its log lines, its settings."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest
from cassandra import InvalidRequest, OperationTimedOut, Unauthorized, Unavailable
from cassandra.cluster import NoHostAvailable
from cassandra.connection import ConnectionShutdown

from domain.errors import StoreUnavailable
from storage.cassandra.driver_logs import OneLine
from storage.cassandra.driver_session import CassandraConfig
from storage.cassandra.errors import translate
from storage.cassandra.loop_bridge import LoopBridge
from storage.cassandra.schema import load_migrations, split_statements


async def test_results_from_many_threads_all_arrive():
    loop = asyncio.get_running_loop()
    completions = LoopBridge(loop)
    futures = [loop.create_future() for _ in range(2_000)]

    def finish(mine: list[asyncio.Future[int]], first: int) -> None:
        for n, future in enumerate(mine, first):
            completions.succeeded(n, future)

    threads = [threading.Thread(target=finish, args=(futures[n : n + 500], n)) for n in range(0, 2_000, 500)]
    for thread in threads:
        thread.start()
    async with asyncio.timeout(10):
        assert await asyncio.gather(*futures) == list(range(2_000))


async def test_results_that_finish_together_share_a_wakeup():
    wakeups = []
    loop = asyncio.get_running_loop()
    counting = type("Counting", (), {"call_soon_threadsafe": lambda self, call: wakeups.append(call)})()
    completions = LoopBridge(counting)
    futures = [loop.create_future() for _ in range(3)]
    for future in futures:
        completions.succeeded("row", future)
    assert len(wakeups) == 1
    wakeups.pop()()
    assert [future.result() for future in futures] == ["row"] * 3
    late = loop.create_future()
    completions.failed(OSError("gone"), late)
    wakeups.pop()()
    with pytest.raises(OSError, match="gone"):
        await late


async def test_a_result_that_nobody_waits_for_any_more_is_dropped():
    completions = LoopBridge(asyncio.get_running_loop())
    future, other = asyncio.get_running_loop().create_future(), asyncio.get_running_loop().create_future()
    future.cancel()
    completions.succeeded("row", future)
    completions.succeeded("row", other)
    assert await other == "row"


def test_a_result_after_the_loop_has_closed_is_dropped():
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    loop.close()
    LoopBridge(loop).succeeded("row", future)
    assert not future.done()


@pytest.mark.parametrize(
    "error",
    [
        NoHostAvailable("no host", {}),
        OperationTimedOut(),
        Unavailable("too few"),
        ConnectionShutdown("lost"),
        Unauthorized("not yours"),
        InvalidRequest("unconfigured table messages"),
        InvalidRequest("Keyspace chat4all does not exist"),
        AttributeError("one of the driver's own"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_may_pass_is_unavailable(error):
    translated = translate(error)
    assert isinstance(translated, StoreUnavailable)
    assert translated.retryable


def test_a_refused_request_stays_what_it_is():
    error = InvalidRequest("Batch too large")
    assert translate(error) is error


def test_a_missing_schema_says_what_to_do():
    assert "chat4all migrate" in str(translate(InvalidRequest("unconfigured table users")))


def record(level: int, message: str, *args: object, exc_info: object = None) -> logging.LogRecord:
    return logging.LogRecord("cassandra.cluster", level, "cluster.py", 1, message, args, exc_info)  # type: ignore[arg-type]


def test_the_drivers_tracebacks_become_one_line_once_a_minute():
    quiet, error = OneLine(), OSError("refused")
    first = record(logging.WARNING, "Error connecting to %s:", "n1", exc_info=(OSError, error, None))
    assert quiet.filter(first)
    assert first.getMessage() == "Error connecting to n1: OSError('refused')"
    assert first.exc_info is None
    assert not quiet.filter(record(logging.WARNING, "Error connecting to %s:", "n2"))
    assert quiet.filter(record(logging.WARNING, "Something else"))
    assert quiet.filter(record(logging.DEBUG, "detail"))
    assert quiet.filter(record(logging.DEBUG, "detail"))


def test_the_servers_remarks_on_our_batches_are_dropped_and_others_are_not():
    quiet = OneLine()
    remark = "Unlogged batch covering 30 partitions detected against tables [k.messages]"
    assert not quiet.filter(record(logging.WARNING, "Server warning: %s", remark))
    assert quiet.filter(record(logging.WARNING, "Server warning: %s", "Read 5000 live rows and 9000 tombstone cells"))


@pytest.mark.parametrize("wrong", [{"keyspace": "Chat4All"}, {"keyspace": "x; DROP"}, {"consistency": "MOST"}])
def test_a_wrong_setting_is_refused_at_once(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CassandraConfig(**wrong)


def test_the_password_is_not_shown():
    assert "hunter2" not in repr(CassandraConfig(username="u", password="hunter2"))


def test_statements_are_split_and_comments_dropped():
    assert split_statements("-- a; b\nCREATE x; -- c\n\nCREATE\n y\n;\n--") == ["CREATE x", "CREATE\n y"]


def test_migrations_have_numbers_of_their_own_which_may_leave_gaps(tmp_path):
    (tmp_path / "0001_a.cql").write_text("CREATE x")
    (tmp_path / "0030_b.cql").write_text("CREATE y")
    assert [(found.version, found.name) for found in load_migrations(tmp_path)] == [(1, "a"), (30, "b")]
    (tmp_path / "0030_c.cql").write_text("CREATE z")
    with pytest.raises(ValueError, match="0030"):
        load_migrations(tmp_path)


def test_a_migration_without_a_number_is_refused(tmp_path):
    (tmp_path / "first.cql").write_text("CREATE x")
    with pytest.raises(ValueError, match="NNNN"):
        load_migrations(tmp_path)


def test_the_shipped_migrations_load():
    assert [migration.name for migration in load_migrations()][:3] == ["users", "conversations", "messages"]
