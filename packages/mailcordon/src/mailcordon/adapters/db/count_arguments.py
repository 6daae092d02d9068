"""What a claim counts in limits, as the statements that count it take it."""

from mailcordon.adapters.db import arrays
from mailcordon.guard.limits.counts import Counts
from mailcordon.guard.limits.rules import NO_CAPS


def counted(counts: Counts) -> tuple[str, ...]:
    """Thirteen arrays as texts: from $8 on of `return_turns` (limited_claim.sql), and of `claim_seen` from `uses` on."""
    uses = sorted(counts.uses, key=lambda use: (use not in counts.shared, use))
    caps = [counts.caps.get(use, NO_CAPS) for use in uses]
    lanes = list(counts.of_address)
    of_address = [counts.of_address[lane] for lane in lanes]
    addresses = sorted(counts.addresses)
    return (
        arrays.integers(uses),
        arrays.integers([counts.uses[use] for use in uses]),
        arrays.integers([one.minute for one in caps]),
        arrays.integers([one.hour for one in caps]),
        arrays.integers([one.day for one in caps]),
        arrays.integers([one.ever for one in caps]),
        arrays.integers(lanes),
        arrays.integers([one.minute for one in of_address]),
        arrays.integers([one.hour for one in of_address]),
        arrays.integers([one.day for one in of_address]),
        arrays.integers([lane for lane, _ in addresses]),
        arrays.digests([hash for _, hash in addresses]),
        arrays.integers([counts.addresses[address] for address in addresses]),
    )
