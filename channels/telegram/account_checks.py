"""A bot as Telegram describes it: its token, and its webhook."""

from __future__ import annotations

from channels.account_checks import SECONDS, SETUP, WEBHOOK, WEBHOOK_ERRORS, fault_of, lacking
from channels.http import Answer, HttpClient
from channels.payloads import part, payload_of, text
from channels.telegram.webhooks import ALLOWED_UPDATES
from domain.ports import AccountFault

_OF_THE_TOKEN = (401, 404)


async def check(http: HttpClient, *, is_polled: bool) -> list[AccountFault]:
    """Return the faults of the bot. ``is_polled``: its updates are fetched, so it must have no webhook."""
    for method in ("getMe", "getWebhookInfo"):
        answered = await http.ask("GET", method, seconds=SECONDS)
        is_of_the_token = isinstance(answered, Answer) and answered.status in _OF_THE_TOKEN
        if fault := fault_of(answered, is_credentials=is_of_the_token):
            return [fault]
    assert isinstance(answered, Answer)
    info = part(payload_of(answered.body), "result")
    url = text(info, "url")
    if is_polled:
        detail = "the account polls, and a webhook is set: Telegram refuses to poll"
        return [AccountFault(WEBHOOK, detail, "call deleteWebhook, or leave out updates")] if url else []
    if not url:
        return [AccountFault(WEBHOOK, "no webhook is set, so nothing comes in", f"call setWebhook, {SETUP}")]
    faults = []
    allowed = info.get("allowed_updates")
    if fault := lacking(ALLOWED_UPDATES, allowed if isinstance(allowed, list) else ALLOWED_UPDATES[:-1]):
        faults.append(fault)
    if error := text(info, "last_error_message"):
        faults.append(AccountFault(WEBHOOK_ERRORS, f"the last webhook failed: {error}", "look at the API's log"))
    return faults
