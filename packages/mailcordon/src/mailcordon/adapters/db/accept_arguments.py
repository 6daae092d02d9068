"""New mail as the arguments of `accept_one` and `accept`, in a form that is cheap to encode.

The driver inspects each element of an array, which costs more than one long text. So numbers go as the text of an array, hashes
and keys as one string of bytes, and what messages have in common (lane, sender, campaign...) once, as a kind that they name by
its number, counted from 1.
"""

from collections.abc import Sequence

from mailcordon.adapters.db.arrays import integers
from mailcordon.core.priority import Class
from mailcordon.send.ports import NewMessage


class _Kind:
    """What some messages of a batch have in common, and how many deliveries and bytes they are."""

    __slots__ = ("bytes", "deliveries", "message", "number")

    def __init__(self, number: int, message: NewMessage) -> None:
        self.number = number
        self.message = message
        self.deliveries = 0
        self.bytes = 0


def of_one(message: NewMessage, node: int) -> tuple[object, ...]:
    """The arguments $2 to $22 of `accept_one`, for a message to one recipient."""
    route, [delivery] = message.route, message.deliveries
    lane = route.lane
    return (
        node,
        message.id,
        delivery.id,
        lane.tenant,
        int(lane.class_),
        lane.id,
        route.turn,
        route.path,
        message.from_address,
        delivery.address,
        delivery.hash,
        delivery.provider,
        message.campaign,
        message.list,
        message.api_key,
        message.tags,
        message.alike,
        message.others,
        message.content,
        message.key,
        message.body,
    )


def build(batch: Sequence[NewMessage], node: int, *, with_content: bool = True) -> tuple[object, ...]:
    """The arguments $2 to $31 of `accept`. `with_content` is False if the content has been written already."""
    kinds: dict[tuple[object, ...], _Kind] = {}
    ids: list[int] = []
    numbers: list[int] = []
    deliveries: list[int] = []
    of_deliveries: list[int] = []
    providers: list[int] = []
    hashes: list[bytes] = []
    keyed: list[int] = []
    of_keyed: list[int] = []
    keys: list[bytes] = []
    alike: list[int] = []
    recipients: list[str] = []
    sizes: list[int] = []
    plain: list[NewMessage] = []
    urgent: list[NewMessage] = []
    for m in batch:
        route = m.route
        common = (route.lane.id, route.path, m.from_address, m.campaign, m.list, m.api_key, m.tags)
        kind = kinds.get(common)
        if kind is None:
            kind = kinds[common] = _Kind(len(kinds) + 1, m)
        size = len(m.content)
        ids.append(m.id)
        numbers.append(kind.number)
        sizes.append(size)
        alike.append(m.alike)
        recipients.append("\n".join([d.address for d in m.deliveries]))
        if with_content:
            (urgent if route.lane.class_ is Class.URGENT else plain).append(m)
        if m.key is not None:
            keyed.append(m.id)
            of_keyed.append(kind.number)
            keys += (m.key, m.body)
        for d in m.deliveries:
            deliveries.append(d.id)
            of_deliveries.append(kind.number)
            providers.append(d.provider)
            hashes.append(d.hash)
        kind.deliveries += len(m.deliveries)
        kind.bytes += size * len(m.deliveries)
    common_of = [kind.message for kind in kinds.values()]
    return (
        integers(deliveries),
        integers(of_deliveries),
        integers(providers),
        b"".join(hashes),
        integers(keyed),
        integers(of_keyed),
        b"".join(keys),
        integers(ids),
        integers(numbers),
        recipients,
        [m.route.lane.tenant for m in common_of],
        [int(m.route.lane.class_) for m in common_of],
        [m.route.lane.id for m in common_of],
        [m.route.path for m in common_of],
        [m.from_address for m in common_of],
        [m.campaign for m in common_of],
        [m.list for m in common_of],
        [m.api_key for m in common_of],
        [kind.deliveries for kind in kinds.values()],
        [kind.bytes for kind in kinds.values()],
        integers(sizes),
        integers([m.id for m in plain]),
        [m.content for m in plain],
        integers([m.id for m in urgent]),
        [m.content for m in urgent],
        node,
        sorted({m.route.turn for m in common_of}),
        [m.tags for m in common_of],
        integers(alike),
        None if all(m.others is None for m in batch) else [m.others for m in batch],
    )
