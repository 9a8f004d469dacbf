"""An account of the Graph API as its provider describes it: the token, the id, and the subscription of its webhooks."""

from __future__ import annotations

from collections.abc import Collection

from channels.account_checks import SECONDS, WEBHOOK, fault_of, lacking
from channels.http import Answer, HttpClient
from channels.payloads import number, part, parts, payload_of
from domain.outcomes import NotNow, Unknown
from domain.ports import AccountFault

_OF_THE_TOKEN = frozenset({0, 3, 10, 102, 190, *range(200, 300)})


async def check(
    http: HttpClient, account: str, fields: str, subscriptions: str, wanted: Collection[str] = ()
) -> list[AccountFault]:
    """Ask for ``account`` with ``fields``, then for its ``subscriptions`` (a path; empty: they cannot be asked for).

    ``wanted``: fields of webhooks that must be among them.
    """
    answered = await http.ask("GET", account, seconds=SECONDS, params={"fields": fields})
    if fault := fault_of(answered, is_credentials=_is_of_the_token(answered)):
        return [fault]
    if not subscriptions:
        return []
    answered = await http.ask("GET", subscriptions, seconds=SECONDS)
    if fault := fault_of(answered, is_credentials=_is_of_the_token(answered)):
        return [fault]
    apps = parts(payload_of(answered.body), "data") if isinstance(answered, Answer) else ()
    if not apps:
        detail = "no app is subscribed to the account, so nothing comes in"
        return [AccountFault(WEBHOOK, detail, f"POST /{subscriptions} with the account's token")]
    given = {each for app in apps if isinstance(found := app.get("subscribed_fields"), list) for each in found}
    fault = lacking(wanted, given)
    return [fault] if fault else []


def _is_of_the_token(answered: Answer | NotNow | Unknown) -> bool:
    if not isinstance(answered, Answer):
        return False
    error = part(payload_of(answered.body), "error")
    return answered.status == 401 or ("code" in error and number(error, "code") in _OF_THE_TOKEN)
