"""Converts `lane_policy.document` to a LanePolicy and back. A lane without a row has the built-in policy of its class.

Read it with a left join, so that no lane is missing: `select l.id, l.class, p.document from lane l left join lane_policy p on
p.lane = l.id`.
"""

import msgspec

from mailcordon.core.priority import Class
from mailcordon.guard.policy.effective import LanePolicy
from mailcordon.guard.policy.merge import built_in_policy

# Members that this version does not know, of a newer one, are left out; those that an older one did not write have their default.
_decoder = msgspec.json.Decoder(LanePolicy)
_encode = msgspec.json.Encoder(order="deterministic").encode


def policy_of(document: str | None, class_: Class) -> LanePolicy:
    """`document` as the database has it; None: there is no row. Raises ValueError if it is no policy."""
    if document is None:
        return built_in_policy(class_)
    return _decoder.decode(document)


def document_of(policy: LanePolicy) -> str:
    return _encode(policy).decode()
