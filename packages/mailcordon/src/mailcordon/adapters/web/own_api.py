"""Submits a mail through our own API, as any app of ours does: with the key of one lane, and an Idempotency-Key.

The URL is the operator's setting and not somebody's webhook, so it may be of this host.
"""

import json
from typing import Any

from mailcordon.messages import alerts as messages
from mailcordon.observe.alerts.ports import NotDelivered

SECONDS = 10.0
_LARGEST_ANSWER = 64 * 1024
#: A try whose answer was lost, or whose process died, was accepted: a mail that is refused gets another key.
_TAKEN_BEFORE = (409, "idempotency")


async def submit(url: str, key: str, message: str, body: dict[str, object]) -> None:
    """`message`: the Idempotency-Key. A copy is not sent twice, also if its text has changed, such as how long ago something
    began. Raises NotDelivered."""
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=SECONDS)
    headers = {
        "Authorization": f"Bearer {key}",
        "Idempotency-Key": message,
        "Content-Type": "application/json",
        "User-Agent": "Mailcordon",
    }
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(
                f"{url.rstrip('/')}/v1/messages",
                data=json.dumps(body).encode(),
                headers=headers,
                allow_redirects=False,
            ) as answer,
        ):
            found = _decoded(await answer.content.read(_LARGEST_ANSWER))
            code = str(found.get("code") or "")
            if (answer.status, code) == _TAKEN_BEFORE:
                return
            if answer.status != 202:
                raise NotDelivered(messages.api_refused(answer.status, code))
    except TimeoutError:
        raise NotDelivered(messages.no_answer(SECONDS)) from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise NotDelivered(messages.not_reached(type(error).__name__)) from None
    deliveries: list[dict[str, Any]] = found.get("deliveries") or []
    for delivery in deliveries:
        if delivery.get("state") == "refused":
            raise NotDelivered(messages.mail_refused(str(delivery.get("reason") or "")), id_is_used=True)


def _decoded(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]
