"""The agents of a channel's role: ``deliver_<channel>`` puts requests into the queue, ``receipts_<channel>`` takes the
channel's receipts, ``contacts_<channel>`` what is new of people, ``commands_<channel>`` the commands of operators.

A batch of requests is complete when its rows are durable, whatever the channel does. The dispatcher sends them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from agents import people
from agents.account_choice import AccountChoice
from agents.account_reports import AccountReports
from agents.attachments import Attachments
from agents.commands import Commands
from agents.connections import Connections
from agents.dispatcher import Dispatcher
from agents.handles import Handles
from agents.lost_receipts import LostReceipts
from agents.polling import Polling
from agents.receipts import receive_batch
from app.accounts import account_secret, load_accounts
from app.clock import now_ms
from app.faust.checkpoint import Checkpoint
from app.faust.dead_letters import dead_letter
from app.kafka.codec import decode
from app.settings import InvalidSetting
from app.worker_files import FilesOfWorker
from channels import make_connector
from channels.simulated import Simulation
from domain.accounts import Account
from domain.errors import InvalidInput, MalformedRecord
from domain.ports import Connector
from domain.records import DeliveryRequested
from tables import attempts, queue

if TYPE_CHECKING:
    from app.faust.batches import RecordBatch
    from app.faust.stream_app import StreamApp
    from app.kafka.pending_batches import PendingBatch

HOUSEKEEPING_SECONDS = 60.0
MAX_PENDING_BYTES = 32 * 1024 * 1024  # on their way to Kafka: well before the producer refuses


def register(app: StreamApp) -> None:
    channel, settings = app.role, app.settings
    rows = queue.declare(app)
    simulation = Simulation(settings.simulated_delivered_seconds, settings.simulated_read_seconds)

    def connect(account: Account) -> Connector:
        try:
            return make_connector(account, simulation, partial(account_secret, account))
        except InvalidSetting:
            raise
        except ValueError as error:
            raise InvalidSetting(f"{settings.accounts}: account {account.name} of {channel}: {error}") from None

    choice = AccountChoice(load_accounts(settings)[channel], rows, connect)
    connectors = [lane.connector for lane in choice.lanes.values() if lane.connector is not None]
    app.pre_start_services.append(Connections(connectors))
    files = FilesOfWorker.of(app).open
    handles = {
        name: Handles(rows, name, lane.connector.capabilities.handle_days)
        for name, lane in choice.lanes.items()
        if lane.connector is not None and lane.connector.capabilities.handle_days
    }
    attachments = {
        name: Attachments(app, lane.connector, files, handles=handles.get(name))
        for name, lane in choice.lanes.items()
        if lane.connector is not None
    }
    dispatcher = Dispatcher(app, channel, choice, rows, attempts.declare(app), attachments)
    people.declare(
        app, load_accounts(settings)[channel], {n: lane.connector for n, lane in choice.lanes.items()}, files
    )
    commands = Commands(app, dispatcher, choice, rows)
    reports = AccountReports(app, channel, dispatcher, choice)
    app.post_start_services.append(reports)
    app.metrics.watch_accounts(reports.reports)
    ends = {name: lane.account.token_expires_seconds for name, lane in choice.lanes.items()}
    app.metrics.tokens_expire({name: seconds for name, seconds in ends.items() if seconds is not None})
    app.metrics.watch_allowances(lambda: {n: lane.allowance.used(monotonic()) for n, lane in choice.lanes.items()})
    app.post_start_services.append(Polling(app, channel, choice, dispatcher))
    lost = dispatcher.settlement.lost = LostReceipts(app, channel, choice)
    dispatcher.receipts.came = lost.came
    app.post_start_services.append(lost)

    @app.timer(HOUSEKEEPING_SECONDS)  # type: ignore[untyped-decorator]
    async def keep_house() -> None:
        dispatcher.receipts.expire()
        choice.sweep(dispatcher.partitions)
        dispatcher.contacts.sweep(dispatcher.partitions)
        for of_account in handles.values():
            of_account.sweep(dispatcher.partitions)

    commanded, met = Checkpoint(app, f"commands_{channel}"), Checkpoint(app, f"contacts_{channel}")
    delivered, received = Checkpoint(app, f"deliver_{channel}"), Checkpoint(app, f"receipts_{channel}")

    @app.batch_agent(
        f"deliver_{channel}", app.names.outbound(channel), help=f"puts messages for {channel} into the queue"
    )
    async def deliver(stream: Any) -> None:
        async for batch in stream:
            if app.consumer.is_current(batch):
                await delivered.when_durable(batch, await deliver_batch(app, dispatcher, batch))

    @app.batch_agent(f"receipts_{channel}", app.names.events(channel), help=f"takes the receipts of {channel}")
    async def receive(stream: Any) -> None:
        async for batch in stream:
            if app.consumer.is_current(batch):
                await received.when_durable(batch, receive_batch(app, dispatcher.receipts, batch))

    @app.batch_agent(
        f"contacts_{channel}", app.names.contacts(channel), help=f"takes what is new of people on {channel}"
    )
    async def meet(stream: Any) -> None:
        async for batch in stream:
            if app.consumer.is_current(batch):
                await met.when_durable(batch, dispatcher.contacts.receive_batch(batch))

    @app.batch_agent(f"commands_{channel}", app.names.commands(channel), help=f"takes the commands to {channel}")
    async def command(stream: Any) -> None:
        async for batch in stream:
            if app.consumer.is_current(batch):
                await commanded.when_durable(batch, commands.receive_batch(batch))


async def deliver_batch(app: StreamApp, dispatcher: Dispatcher, batch: RecordBatch) -> list[PendingBatch]:
    """Put each request of ``batch`` into the queue; return the writes to await before the batch is complete."""
    writes: dict[PendingBatch, None] = {}  # an ordered set: hundreds of records are in one write
    for record in batch.records:
        try:
            request = decode(record.value, DeliveryRequested)
            if fault := queue.fault_of(request):
                raise MalformedRecord(f"field {fault!r} is out of range", fault)
        except InvalidInput as error:
            writes[dead_letter(app, batch, record, error, now_ms())] = None
            continue
        if app.batch_producer.pending_bytes > MAX_PENDING_BYTES:
            for write in writes:
                await write
            writes.clear()
        for write in dispatcher.enqueue(batch.partition, record.offset, request, record.value, record.headers):
            writes[write] = None
    return list(writes)


__all__: Sequence[str] = ("deliver_batch", "register")
