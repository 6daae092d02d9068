"""Tags of resources. SES finds a resource by the name in its ARN, in the region of the call; an ARN of another region is not
found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from seslocal import tagging
from seslocal.errors import bad_request, not_found
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.tagging import tags_in, tags_out
from seslocal.wire.params import Params


class TaggedResource(Protocol):
    @property
    def arn(self) -> str: ...
    @property
    def tags(self) -> dict[str, str]: ...


#: resource type in the ARN -> SES's name for it, and the account's resources by the first name after the type
_OWNERS: Final[dict[str, tuple[str, Callable[[Account], Mapping[str, TaggedResource]]]]] = {
    "identity": ("EmailIdentity", lambda account: account.identities),
    "configuration-set": ("ConfigurationSet", lambda account: account.configuration_sets),
    "tenant": ("Tenant", lambda account: account.tenants),
    "template": ("Template", lambda account: account.templates),
    "custom-verification-email-template": (
        "CustomVerificationEmailTemplate",
        lambda account: account.identities.verification_templates,
    ),
    "contact-list": ("ContactList", lambda account: account.contact_lists),
    "dedicated-ip-pool": ("DedicatedIpPool", lambda account: account.dedicated_ips.pools),
}


def tag(account: Account, params: Params, caller: Caller) -> Params:
    given = tags_in(params["Tags"])
    found = _resource(account, params["ResourceArn"])
    if found.arn != params["ResourceArn"]:
        raise bad_request(f"Failed to tag resource {params['ResourceArn']}.")
    found.tags.update(tagging.merged(found.tags, given))
    return {}


def untag(account: Account, params: Params, caller: Caller) -> Params:
    found = _resource(account, params["ResourceArn"])
    if found.arn != params["ResourceArn"]:
        raise bad_request(f"Failed to untag resource {params['ResourceArn']}.")
    for key in params["TagKeys"]:
        found.tags.pop(key, None)
    return {}


def list_tags(account: Account, params: Params, caller: Caller) -> Params:
    found = _resource(account, params["ResourceArn"])
    return {"Tags": tags_out(found.tags) if found.arn == params["ResourceArn"] else []}


def _resource(account: Account, arn: str) -> TaggedResource:
    parts = arn.split(":", 5)
    kind, _, name = parts[-1].partition("/")
    if len(parts) < 6 or parts[0] != "arn" or parts[2] != "ses" or kind not in _OWNERS or not name:
        raise bad_request("Provided resource identifier is not an SES resource")
    word, owner = _OWNERS[kind]
    names: Any = owner(account)
    found: TaggedResource | None = names.get(name) or names.get(name.partition("/")[0])
    if found is None or found.arn.partition("/")[2] != name:
        raise not_found(f"No {word} present with name: {name}")
    return found


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "TagResource": tag,
    "UntagResource": untag,
    "ListTagsForResource": list_tags,
}
