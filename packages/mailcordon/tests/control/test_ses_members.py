"""The table of members of SES's answers, compared with the SDK of the lock file."""

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest

from mailcordon.control import ses_members
from mailcordon.control.desired import Kind

#: What returns a resource of each kind, and where in its response.
READ_BY = {
    Kind.CONFIGURATION_SET: ("GetConfigurationSet",),
    Kind.EVENT_DESTINATION: ("GetConfigurationSetEventDestinations", "EventDestinations"),
    Kind.IDENTITY: ("GetEmailIdentity",),
    Kind.TENANT: ("GetTenant", "Tenant"),
    Kind.POLICY: ("GetReputationEntity", "ReputationEntity"),
    Kind.ACCOUNT: ("GetAccount",),
}


def members(shape: Any, path: str = "") -> Iterator[str]:
    if shape.type_name != "structure":
        yield path
        return
    for name, inner in shape.members.items():
        yield from members(inner, f"{path}.{name}" if path else name)


@pytest.mark.parametrize("kind", READ_BY)
def test_the_table_has_every_member_that_the_sdk_can_return(kind: Kind) -> None:
    operation, *inside = READ_BY[kind]
    model: Any = botocore.session.get_session().get_service_model("sesv2")
    shape = model.operation_model(operation).output_shape
    for name in inside:
        shape = shape.members[name]
        shape = shape.member if shape.type_name == "list" else shape
    assert set(members(shape)) == ses_members.MEMBERS[kind]


def test_what_is_below_a_list_or_a_map_is_known_with_it() -> None:
    assert ses_members.knows(Kind.IDENTITY, "Policies.allow-zen")
    assert ses_members.knows(Kind.IDENTITY, "DkimAttributes.Tokens")
    assert not ses_members.knows(Kind.IDENTITY, "DkimAttributes")
    assert not ses_members.knows(Kind.IDENTITY, "DkimAttributes.NewMember")
