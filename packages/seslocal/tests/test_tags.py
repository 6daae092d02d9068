"""Tags: allowed values, their number, and which resources have them."""

from __future__ import annotations

from typing import Any

import pytest

from seslocal_fixtures.world import World

MOST = "Maximum of 50 user tags are allowed per resource, consider reducing the number of tags in the request"
MARKS = (
    "Tags can only contain letters, numbers, spaces, and the following special characters: _ . : / = + - @"
)
LONG = "1 validation error detected: Value at 'tags.1.member.%s' failed to satisfy constraint: "


def pairs(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs]


WRONG = [
    (pairs(*((f"k{n}", "") for n in range(51))), MOST),
    (pairs(("k", "a#b")), MARKS),
    (pairs(("k\tx", "v")), MARKS),
    (pairs(("AWS:x", "v")), "Caller is an end user and not allowed to mutate system tags"),
    (pairs(("k" * 129, "v")), LONG % "key" + "Member must have length less than or equal to 128"),
    (pairs(("k", "v" * 257)), LONG % "value" + "Member must have length less than or equal to 256"),
    (pairs(("", "v")), LONG % "key" + "Member must have length greater than or equal to 1"),
    (pairs(("k", "1"), ("k", "2")), "Cannot provide multiple tags with the same key"),
]


@pytest.mark.parametrize(("tags", "why"), WRONG)
def test_an_invalid_tag_is_refused_and_nothing_is_created(
    world: World, tags: list[dict[str, str]], why: str
) -> None:
    refusal = (400, "BadRequestException", why)
    assert world.refused(world.ses.create_email_identity, EmailIdentity="a.example", Tags=tags) == refusal
    assert world.ses.list_email_identities()["EmailIdentities"] == []
    arn = world.domain("acme.example")
    assert world.refused(world.ses.tag_resource, ResourceArn=arn, Tags=tags) == refusal


@pytest.mark.parametrize(
    ("call", "named"),
    [
        ("create_configuration_set", "ConfigurationSetName"),
        ("create_dedicated_ip_pool", "PoolName"),
        ("create_tenant", "TenantName"),
    ],
)
def test_every_resource_has_its_tags_checked(world: World, call: str, named: str) -> None:
    refused = world.refused(getattr(world.ses, call), **{named: "n", "Tags": pairs(("aws:x", ""))})
    assert refused[:2] == (400, "BadRequestException")


def test_tags_allow_letters_and_spaces_of_any_script(world: World) -> None:
    arn = world.domain("acme.example")
    tags = pairs(("größe _.:/=+-@", "\u00a0\u65e5\u672c"), ("empty", ""))
    world.ses.tag_resource(ResourceArn=arn, Tags=tags)
    assert world.ses.list_tags_for_resource(ResourceArn=arn)["Tags"] == tags


def test_fifty_tags_can_be_changed_but_not_added_to(world: World) -> None:
    arn = world.domain("acme.example")
    tag = world.ses.tag_resource
    tag(ResourceArn=arn, Tags=pairs(*((f"k{n}", "v") for n in range(50))))
    tag(ResourceArn=arn, Tags=pairs(("k0", "other")))
    refused = world.refused(tag, ResourceArn=arn, Tags=pairs(("k50", "v")))
    assert refused == (400, "BadRequestException", f"{MOST} or delete existing tags and retry")


@pytest.mark.parametrize(
    ("resource", "refusal"),
    [
        ("identity/no.example", (404, "NotFoundException", "No EmailIdentity present with name: no.example")),
        ("configuration-set/no", (404, "NotFoundException", "No ConfigurationSet present with name: no")),
        ("dedicated-ip-pool/no", (404, "NotFoundException", "No DedicatedIpPool present with name: no")),
        ("nothing/no", (400, "BadRequestException", "Provided resource identifier is not an SES resource")),
    ],
)
def test_tags_of_a_missing_resource_are_not_found(world: World, resource: str, refusal: Any) -> None:
    assert world.refused(world.ses.list_tags_for_resource, ResourceArn=world.arn(resource)) == refusal


def test_an_arn_of_another_region_is_not_found(world: World) -> None:
    elsewhere = world.domain("acme.example").replace("us-east-1", "eu-west-1")
    assert world.ses.list_tags_for_resource(ResourceArn=elsewhere)["Tags"] == []
    tags: Any = pairs(("k", "v"))
    assert world.refused(world.ses.tag_resource, ResourceArn=elsewhere, Tags=tags)[0] == 400
    assert world.refused(world.ses.untag_resource, ResourceArn=elsewhere, TagKeys=["k"])[0] == 400
