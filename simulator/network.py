"""A message between an account and a person: shown, delivered, read, answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from channels.simulated.chaos.chance import Chance
from channels.simulated.chaos.receipts import PlannedReceipt, plan
from domain.status import Status
from simulator.accounts import Accounts, BusinessAccount
from simulator.books import Books
from simulator.chaos import Chaos
from simulator.messages import Button, Content, Event, Message, Shown, Taken
from simulator.phones import MOST_PENDING, Person, PhoneBook, Reads
from simulator.posting import Update
from simulator.stories import Stories
from simulator.timer import Timer

Fragment = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Act:
    """What a person does: ``content.kind`` is the kind of a message, or one of ``reaction``, ``press``, ``block``,
    ``unblock``, ``number_changed``, ``user_id_changed``, ``opt_out``, ``opt_in``. ``target``: the message that is
    answered, reacted to, or whose button is pressed."""

    account: BusinessAccount
    person: Person
    provider_id: str
    content: Content
    at_ms: int
    target: Shown | None = None
    button: Button | None = None
    details: Mapping[str, str] = field(default_factory=dict)


class Channel(Protocol):
    """A protocol's part: new ids, and the form of reports. No fragments: this provider does not tell."""

    def new_id(self, account: BusinessAccount, person: Person) -> str: ...

    def status(self, account: BusinessAccount, person: Person, taken: Taken, event: Event) -> Fragment | None: ...

    def reports(self, act: Act) -> Sequence[Fragment]: ...

    def strange(self, account: BusinessAccount) -> Fragment:
        """Return a report of a kind that nobody knows yet."""
        ...


class Network:
    """One for the process. ``report`` hands an update to the protocol's webhooks or its queue.

    ``changed`` is told the id of a person whose telephone looks different now.
    """

    def __init__(
        self,
        accounts: Accounts,
        phones: PhoneBook,
        books: Books,
        timer: Timer,
        channels: Mapping[str, Channel],
        chaos: Callable[[], Chaos],
        report: Callable[[Update], None],
        changed: Callable[[str], None] = lambda person_id: None,
    ) -> None:
        self.accounts = accounts
        self.stories = Stories()
        self._changed = changed
        self.phones = phones
        self.books = books
        self._timer = timer
        self._channels = channels
        self._chaos = chaos
        self._report = report
        self._event_number = 0

    # From an account to a person -------------------------------------------------------------------------------------

    def take(self, account: BusinessAccount, person: Person, message: Message, early: bool = False) -> Taken:
        """Take a message. ``early``: its first receipt is reported before the call is answered."""
        provider_id = self._channels[account.channel].new_id(account, person)
        taken = self.books.take(account, person.id, provider_id, message, now_ms())
        self.stories.took(person.id, taken)
        self._happened(account, person, taken, Status.SENT, taken.at_ms)
        if account.key in person.blocked:
            return taken  # WhatsApp leaves it at sent; the others refuse the call
        if not person.is_online:
            if len(person.pending) < MOST_PENDING:
                person.pending.append(taken)
            self._changed(person.id)
            return taken
        self._deliver(account, person, taken, early)
        return taken

    def _deliver(self, account: BusinessAccount, person: Person, taken: Taken, early: bool = False) -> None:
        chaos, times = self._chaos(), taken.copy
        token = taken.message.token or taken.provider_id
        planned = plan(chaos, token, times, now_ms())
        chance = Chance(chaos.seed, token, times)
        if any(each.status is Status.DELIVERED for each in planned):
            self._show(account, person, taken)
            self._answer(account, person, taken, chance)
        for each in self._as_the_person_reads(person, planned, chance, chaos):
            if early and each.status is Status.DELIVERED:
                self._due(account, person, taken, each)
                continue
            self._timer.after(each.after_seconds, lambda each=each: self._due(account, person, taken, each))  # type: ignore[misc]

    def _as_the_person_reads(
        self, person: Person, planned: Sequence[PlannedReceipt], chance: Chance, chaos: Chaos
    ) -> list[PlannedReceipt]:
        found: list[PlannedReceipt] = []
        for each in planned:
            if each.status is not Status.READ or person.reads is Reads.SOON:
                found.append(each)
            elif person.reads is Reads.AT_ONCE:
                delivered = next((d for d in planned if d.status is Status.DELIVERED), each)
                found.append(PlannedReceipt(delivered.after_seconds, Status.READ, delivered.at_ms))
            elif person.reads is Reads.LATE:
                later = chance.within("read late", chaos.late_read_seconds)
                found.append(PlannedReceipt(each.after_seconds + later, Status.READ, each.at_ms + int(later * 1000)))
        return found

    def _show(self, account: BusinessAccount, person: Person, taken: Taken) -> None:
        taken.is_shown = True
        self._changed(person.id)
        message = taken.message
        if message.content.kind == "reaction":
            if (target := person.found(str(message.content.data.get("message_id", "")))) is not None:
                target.reactions["account"] = message.content.text
            return
        number = person.forgotten + len(person.screen) + 1
        shown = Shown(number, account.key, taken.provider_id, message.content, now_ms())
        shown.reply_to, shown.copy, shown.taken = message.reply_to, taken.copy, taken
        person.show(shown)

    def _due(self, account: BusinessAccount, person: Person, taken: Taken, planned: PlannedReceipt) -> None:
        if planned.status is Status.READ:
            if taken.read_by_hand:
                return
            self._mark_read(person, taken)
            if not person.receipts:
                return
        code = 131026 if planned.status is Status.FAILED else 0
        self._happened(account, person, taken, planned.status, planned.at_ms, code, planned.with_token)

    def _mark_read(self, person: Person, taken: Taken) -> None:
        taken.is_read = True
        self._changed(person.id)
        if (shown := person.found(taken.provider_id)) is not None:
            shown.is_read = True

    def fail(self, account: BusinessAccount, person: Person, message: Message, code: int) -> Taken:
        """Take a message that fails later, with this code."""
        provider_id = self._channels[account.channel].new_id(account, person)
        taken = self.books.take(account, person.id, provider_id, message, now_ms())
        self.stories.took(person.id, taken)
        self._happened(account, person, taken, Status.SENT, taken.at_ms)
        self._happened(account, person, taken, Status.FAILED, now_ms(), code)
        return taken

    def _happened(
        self,
        account: BusinessAccount,
        person: Person,
        taken: Taken,
        status: Status,
        at_ms: int,
        code: int = 0,
        with_token: bool = True,
    ) -> None:
        self._event_number += 1
        event = Event(f"{taken.number}{self._event_number:012}", str(status), at_ms, "PENDING", code, with_token)
        taken.events.append(event)
        fragment = self._channels[account.channel].status(account, person, taken, event)
        if fragment is not None:
            self._report(Update(account, person.id, "status", event.id, fragment, event))

    def _answer(self, account: BusinessAccount, person: Person, taken: Taken, chance: Chance) -> None:
        content = taken.message.content
        if content.kind == "reaction" or not (person.answers or (person.presses and content.buttons)):
            return
        now = asyncio.get_running_loop().time()
        due = max(person.answered_until, now + chance.within("answers", self._chaos().answer_seconds))
        person.answered_until = due

        def answer() -> None:
            shown = person.found(taken.provider_id)
            if person.presses and shown is not None and shown.content.buttons:
                self.press(person, shown, shown.content.buttons[0])
            elif person.answers:
                text = person.answers.replace("{text}", content.text)
                self.write(account, person, Content("text", text))

        self._timer.after(due - now, answer)

    def mark_by_account(self, account: BusinessAccount, message_id: str, is_typing: bool) -> Shown | None:
        """Show a person that the account read their message; return it, or ``None`` if there is no such message."""
        person = self.phones.find(self.books.writer(account.key, message_id) or "")
        shown = person.found(message_id) if person is not None else None
        if shown is not None and person is not None:
            shown.is_read = True
            self._changed(person.id)
            if is_typing:
                shown.typing_ms = now_ms()
        return shown

    # From a person to an account -------------------------------------------------------------------------------------

    def write(self, account: BusinessAccount, person: Person, content: Content, target: Shown | None = None) -> Shown:
        """Write a message; ``target``: the one it answers."""
        provider_id = self._channels[account.channel].new_id(account, person)
        person.wrote_ms[account.key] = now_ms()
        shown = Shown(person.forgotten + len(person.screen) + 1, account.key, provider_id, content, now_ms(), True)
        shown.reply_to = target.message_id if target is not None else ""
        person.show(shown)
        self._act(Act(account, person, provider_id, content, shown.at_ms, target))
        return shown

    def react(self, person: Person, target: Shown, emoji: str) -> None:
        """React to a message; an empty emoji takes the reaction back."""
        account = self._account(target)
        person.wrote_ms[account.key] = now_ms()
        before = target.reactions.pop("me", "")
        if emoji:
            target.reactions["me"] = emoji
        provider_id = self._channels[account.channel].new_id(account, person)
        details = {"emoji": emoji, "before": before}
        self._act(Act(account, person, provider_id, Content("reaction", emoji), now_ms(), target, None, details))

    def press(self, person: Person, target: Shown, button: Button) -> None:
        """Press a button of a message."""
        account = self._account(target)
        person.wrote_ms[account.key] = now_ms()
        provider_id = self._channels[account.channel].new_id(account, person)
        content = Content("press", button.title)
        self._act(Act(account, person, provider_id, content, now_ms(), target, button))

    def tell(self, account: BusinessAccount, person: Person, kind: str, details: Mapping[str, str]) -> None:
        """Report something that is no message: a block, another number, an opt-out."""
        provider_id = self._channels[account.channel].new_id(account, person)
        self._act(Act(account, person, provider_id, Content(kind), now_ms(), details=details))

    def read(self, person: Person, up_to: Shown | None = None) -> int:
        """Read the unread messages by hand, up to a message; return their number."""
        read = 0
        for shown in person.screen:
            taken = shown.taken
            if taken is not None and not taken.is_read:
                self._mark_read(person, taken)
                taken.read_by_hand = True
                read += 1
                if person.receipts:
                    self._happened(self._account(shown), person, taken, Status.READ, now_ms())
            if shown is up_to:
                break
        return read

    def go_online(self, person: Person) -> None:
        """Switch the phone on: what waited for it is delivered, in order."""
        person.is_online = True
        pending, person.pending = person.pending, []
        for taken in pending:
            account = self.accounts.named(*taken.account)
            if account is not None:
                self._deliver(account, person, taken)

    def _act(self, act: Act) -> None:
        account, chaos = act.account, self._chaos()
        self._changed(act.person.id)
        self.books.write(account.key, act.person.id, act.provider_id, act.content.kind, act.content.text, act.at_ms)
        for number, fragment in enumerate(self._channels[account.channel].reports(act)):
            self._report(Update(account, act.person.id, "message", f"{act.provider_id}.{number}", fragment))
        if Chance(chaos.seed, act.provider_id, 1).of("strange") < chaos.new_webhook_share:
            strange = self._channels[account.channel].strange(account)
            self._report(Update(account, act.person.id, "event", f"{act.provider_id}.new", strange))

    def _account(self, shown: Shown) -> BusinessAccount:
        account = self.accounts.named(*shown.account)
        assert account is not None
        return account


def now_ms() -> int:
    """Return epoch milliseconds."""
    return time.time_ns() // 1_000_000
