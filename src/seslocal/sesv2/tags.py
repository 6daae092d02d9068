"""The tags of whatever has an ARN and can carry them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from seslocal.errors import bad_request, not_found
from seslocal.state import Account, Caller, Params, tags_in, tags_out

MOST_TAGS: Final = 50


class Tagged(Protocol):
    @property
    def arn(self) -> str: ...
    @property
    def tags(self) -> dict[str, str]: ...


#: resource type in the ARN -> those of the account, by the first name after it
_OWNERS: Final[dict[str, Callable[[Account], Mapping[str, Tagged]]]] = {
    "identity": lambda account: account.identities,
    "configuration-set": lambda account: account.configuration_sets,
    "tenant": lambda account: account.tenants,
    "template": lambda account: account.templates,
    "custom-verification-email-template": lambda account: account.verification_templates,
    "contact-list": lambda account: account.contact_lists,
    "dedicated-ip-pool": lambda account: account.dedicated.pools,
}


def tag(account: Account, params: Params, caller: Caller) -> Params:
    tags = _tags(account, params["ResourceArn"])
    given = tags_in(params["Tags"])
    if refused := [key for key in given if key.lower().startswith("aws:")]:
        raise bad_request(f"Tag keys that begin with aws: are AWS's own: {', '.join(refused)}.")
    if len(tags.keys() | given.keys()) > MOST_TAGS:
        raise bad_request(f"A resource has at most {MOST_TAGS} tags.")
    tags.update(given)
    return {}


def untag(account: Account, params: Params, caller: Caller) -> Params:
    tags = _tags(account, params["ResourceArn"])
    for key in params["TagKeys"]:
        tags.pop(key, None)
    return {}


def list_tags(account: Account, params: Params, caller: Caller) -> Params:
    return {"Tags": tags_out(_tags(account, params["ResourceArn"]))}


def _tags(account: Account, arn: str) -> dict[str, str]:
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        raise bad_request(f"Invalid resource ARN {arn}.")
    kind, _, rest = parts[5].partition("/")
    owner = _OWNERS.get(kind)
    names: Any = owner(account) if owner else {}
    found: Tagged | None = names.get(rest) or names.get(rest.partition("/")[0])
    if found is None or found.arn != arn:
        raise not_found(f"Resource {arn} does not exist.")
    return found.tags


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "TagResource": tag,
    "UntagResource": untag,
    "ListTagsForResource": list_tags,
}
