"""What could make a finding false, open one for what a plan does, or end one too early."""

import re
from typing import Any

import pytest

from mailcordon.control import beside, ses_members
from mailcordon.control.administration import SesError
from mailcordon.control.steps import Step, StepKind
from mailcordon.core.drift import Drift, Policy

from .test_drift import OTHER_TOPIC, URGENT, World, destination
from .test_drift import world as world

VALIDATION = {
    "ConditionThreshold": {
        "ConditionThresholdEnabled": "ENABLED",
        "OverallConfidenceThreshold": {"ConfidenceVerdictThreshold": "HIGH"},
    }
}


async def associate(world: World, tenant: str, resource: str) -> None:
    await world.call(
        "create_tenant_resource_association", TenantName=tenant, ResourceArn=f"{{arn}}{resource}"
    )


async def test_what_an_applied_plan_takes_away_is_no_finding(world: World) -> None:
    retire = Step(kind=StepKind.RETIRE_LANE, tenant="acme", type="newsletter")
    made = await world.plans.make([retire], actor="ann")
    assert made.id is not None
    await world.plans.apply(made.id, actor="ann")
    await world.scan()  # mail may still need what the lane used
    await world.plans.follow()
    await world.scan()
    assert [each.sentence for each in (await world.all()).values()] == []


async def test_sentences_say_what_differs_and_what_was_done(world: World) -> None:
    await associate(world, "{zen}", "configuration-set/mc-urgent")
    mail = {"TenantName": "{zen}", "ResourceArn": "{arn}identity/mail.zen.example"}
    await world.call("delete_tenant_resource_association", **mail)
    both = {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]}
    await world.call("put_account_suppression_attributes", **both, ValidationAttributes=VALIDATION)
    await world.events()
    found = await world.all()
    extra = found["extra-association", world.filled("{zen} configuration-set/mc-urgent")]
    assert extra.sentence.startswith(
        "An SES tenant of zen is associated with configuration-set/mc-urgent, which no lane needs there: mail can leave"
        " through it uncounted. Association made "
    )
    missing = found["missing-association", world.filled("{zen} identity/mail.zen.example")]
    assert "Change made " in missing.sentence, "it was removed"
    kinds = {each.kind for each in found.values() if each.resource_kind == "account"}
    assert kinds == {Drift.UNKNOWN}, "the account's reasons are as before"


async def test_a_finding_that_a_plan_repaired_says_so(world: World) -> None:
    await world.call(
        "create_configuration_set_event_destination", **URGENT, EventDestinationName="copy", **destination()
    )
    await world.call("create_tenant", TenantName="other-app")
    await associate(world, "other-app", "identity/news.acme.example")
    await world.scan()
    for each in await world.open():
        if each.plan is not None:
            await world.plans.apply(each.plan, actor="ann")
    assert await world.beside.carry_out() == 2
    await world.scan()
    ended = {each.kind: each.ended_because for each in (await world.all()).values() if each.ended_at}
    assert ended == {Drift.EXTRA_DESTINATION: "repaired", Drift.FOREIGN_ASSOCIATION: "repaired"}


async def test_a_finding_stays_open_while_many_of_its_kind_are_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "MOST_OF_A_KIND", 3)
    await world.call("create_configuration_set", ConfigurationSetName="other-9")
    await world.events()
    for number in range(5):
        await world.call("create_configuration_set", ConfigurationSetName=f"other-{number}")
    for _ in range(2):
        await world.beside.round()
        assert {each.resource for each in await world.open()} == {"other-9", "other-0", "other-1"}
    assert len(await world.all()) == 3


async def test_a_call_that_repairs_several_differences_needs_the_policy_of_each(world: World) -> None:
    await world.findings.set_policy(
        "destination-redirected", Policy(act="propose"), actor="ann", because="we move topics"
    )
    await world.call(
        "update_configuration_set_event_destination",
        **URGENT,
        EventDestinationName="outcome",
        **destination(Enabled=False, SnsDestination={"TopicArn": OTHER_TOPIC}),
    )
    for _ in range(2):
        await world.scan()
    assert {each.kind for each in await world.open()} == {
        Drift.DESTINATION_DISABLED,
        Drift.DESTINATION_REDIRECTED,
    }


async def test_a_repair_that_cannot_be_read_back_is_recorded_and_said_to_be_a_repair(world: World) -> None:
    await world.call("put_configuration_set_suppression_options", **URGENT, SuppressedReasons=[])
    events = world.administer._client.meta.events  # pyright: ignore[reportPrivateUsage]
    reads: list[str] = []

    def refuse(params: dict[str, Any], **_: Any) -> None:
        reads.append(params["ConfigurationSetName"])
        if reads.count("mc-urgent") == 2:
            params["ConfigurationSetName"] = "no name"

    events.register("before-parameter-build.sesv2.GetConfigurationSet", refuse)
    try:
        await world.scan()
    finally:
        events.unregister("before-parameter-build.sesv2.GetConfigurationSet", refuse)
    assert reads.count("no name") == 0
    [finding] = (await world.all()).values()
    assert (finding.kind, finding.ended_because) == (Drift.SET_SUPPRESSION, "repaired")
    audited = "select count(*) from audit where action = 'ses.update' and object like '%mc-urgent%'"
    assert await world.owner.fetchval(audited) == 1


async def test_an_extra_destination_stays_found_while_ours_is_missing(world: World) -> None:
    await world.call(
        "create_configuration_set_event_destination", **URGENT, EventDestinationName="copy", **destination()
    )
    await world.scan()
    await world.call("delete_configuration_set_event_destination", **URGENT, EventDestinationName="outcome")
    await world.scan()
    ended = {each.kind: each.ended_because for each in (await world.all()).values()}
    assert ended == {Drift.EXTRA_DESTINATION: None, Drift.MISSING_DESTINATION: "repaired"}
    assert await world.owner.fetchval("select count(*) from finding") == 2


async def test_an_address_in_a_finding_is_personal_in_the_audit_trail(world: World) -> None:
    await world.call("create_email_identity", EmailIdentity="kim@mail.acme.example")
    await world.beside.round()
    rows = await world.owner.fetch("select object, because, personal from audit where action = 'drift.found'")
    assert ["kim@" in row["object"] + row["because"] for row in rows] == [False]
    assert "kim@mail.acme.example" in rows[0]["personal"]


async def test_a_repair_that_somebody_undoes_again_and_again_is_proposed_in_the_end(world: World) -> None:
    forwarding = {"EmailIdentity": "mail.acme.example", "EmailForwardingEnabled": True}
    policy = {"TenantName": "{acme}", "SuppressionScope": "ACCOUNT", "SuppressedReasons": ["BOUNCE"]}
    for _ in range(7):
        await world.call("put_email_identity_feedback_attributes", **forwarding)
        await world.call("put_tenant_suppression_attributes", **policy)
        await world.owner.execute("update ses_resource set next_try_at = now() where tenant is not null")
        await world.settle()
    [finding] = await world.open()
    assert finding.kind is Drift.FEEDBACK_FORWARDING, "isolation is repaired each time"
    assert finding.plan is not None
    assert "came back" in ((await world.plans.get(finding.plan)).because or "")
    assert await world.owner.fetchval("select count(*) from finding where kind = 'feedback-forwarding'") == 6
    await world.plans.apply(finding.plan, actor="ann")
    await world.settle()
    assert await world.open() == []


async def test_a_member_that_a_newer_sdk_adds_is_one_finding_and_not_one_for_each_resource(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = "ReputationOptions.ReputationMetricsEnabled"
    accepted = "select count(*) from ses_resource where kind = 'configuration-set' and accepted ? $1"
    sets = await world.owner.fetchval(accepted, member)
    assert sets >= 3
    # As it was before the SDK knew the member: no row has it, nor the table of this version.
    await world.owner.execute("update ses_resource set accepted = accepted - $1", member)
    members = ses_members.MEMBERS
    older = {kind: names - {member} for kind, names in members.items()}
    monkeypatch.setattr(ses_members, "MEMBERS", older)
    await world.scan()
    await world.scan()
    [found] = await world.open()
    assert (found.kind, found.resource) == (Drift.NEW_MEMBER, f"configuration-set {member}")
    assert "The installed SDK is newer than this version's table" in found.sentence
    assert await world.owner.fetchval(accepted, member) == sets
    # Its value is kept: a change of it is somebody's.
    await world.call(
        "put_configuration_set_reputation_options",
        ConfigurationSetName="mc-marketing",
        ReputationMetricsEnabled=True,
    )
    await world.scan()
    assert {each.kind for each in await world.open()} == {Drift.NEW_MEMBER, Drift.UNKNOWN}
    monkeypatch.setattr(ses_members, "MEMBERS", members)  # a newer version of Mailcordon
    await world.scan()
    assert {each.kind for each in await world.open()} == {Drift.UNKNOWN}


async def test_an_accepted_new_member_is_not_found_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = "ReputationOptions.ReputationMetricsEnabled"
    await world.owner.execute("update ses_resource set accepted = accepted - $1", member)
    older = {kind: names - {member} for kind, names in ses_members.MEMBERS.items()}
    monkeypatch.setattr(ses_members, "MEMBERS", older)
    await world.scan()
    await world.scan()
    [found] = await world.open()
    await world.findings.accept(found.id, actor="Kim", because="read about it")
    await world.scan()
    assert await world.open() == []


async def test_a_round_reads_what_a_few_other_tenants_use_and_the_next_round_those_after_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "MOST_READ", 4)
    names = [f"other-{number:02}" for number in range(10)]
    for name in names:
        await world.call("create_tenant", TenantName=name)
    await associate(world, names[-1], "identity/news.acme.example")
    asked: list[str] = []

    def count(params: dict[str, Any], **_: Any) -> None:
        asked.append(params["TenantName"])

    events = world.administer._client.meta.events  # pyright: ignore[reportPrivateUsage]
    events.register("before-parameter-build.sesv2.ListTenantResources", count, "count")
    for _ in range(3):
        before = len(asked)
        await world.beside.round()
        assert len(asked) - before <= 4
        kinds = [each.kind for each in await world.open()]
        assert kinds.count(Drift.EXTRA_TENANT) == 10, "the list tells of all of them"
    assert set(asked) >= set(names[:6])
    for _ in range(3):
        await world.beside.round()
    assert set(asked) == set(names)
    assert Drift.FOREIGN_ASSOCIATION in {each.kind for each in await world.open()}
    events.unregister("before-parameter-build.sesv2.ListTenantResources", unique_id="count")


def test_new_tenants_and_known_ones_have_half_of_the_places_each_if_both_need_more() -> None:
    new, known = [f"n{n}" for n in range(9)], [f"k{n}" for n in range(9)]
    assert beside.to_read([*known, *new], known, 4) == ["n0", "n1", "k0", "k1"]
    assert beside.to_read([*known, "n0"], known, 4) == ["n0", "k0", "k1", "k2"]
    assert beside.to_read([*new, "k3"], known, 4) == ["n0", "n1", "n2", "k3"]
    assert beside.to_read([], known, 4) == []


async def test_a_list_that_ses_refuses_keeps_no_other_from_being_read(world: World) -> None:
    await world.call("create_email_identity", EmailIdentity="other.example")
    await world.call("create_configuration_set", ConfigurationSetName="other")
    await world.call("create_tenant", TenantName="other")
    events = world.administer._client.meta.events  # pyright: ignore[reportPrivateUsage]

    def refuse(params: dict[str, Any], **_: Any) -> None:
        params["NextToken"] = "no token of this list"

    for operation in ("ListReputationEntities", "ListEmailIdentities"):
        events.register(f"before-parameter-build.sesv2.{operation}", refuse, operation)
    with pytest.raises(SesError):
        await world.beside.round()
    assert {each.kind for each in await world.open()} == {Drift.EXTRA_SET, Drift.EXTRA_TENANT}
    for operation in ("ListReputationEntities", "ListEmailIdentities"):
        events.unregister(f"before-parameter-build.sesv2.{operation}", unique_id=operation)
    await world.beside.round()
    assert len(await world.open()) == 3


async def test_what_a_finding_says_of_others_is_in_no_tenants_part_of_the_audit_trail(world: World) -> None:
    await world.call("create_tenant", TenantName="other-app")
    await associate(world, "{zen}", "identity/mail.acme.example")
    await associate(world, "other-app", "identity/news.acme.example")
    await world.scan()
    for each in await world.open():
        if each.plan is not None:
            await world.plans.apply(each.plan, actor="ann")
    await world.beside.carry_out()
    await world.settle()
    assert {each.kind for each in await world.open()} == {Drift.EXTRA_TENANT}
    rows = await world.owner.fetch(
        "select e.slug, a::text as row from audit a join tenant e on e.id = a.tenant"
    )
    others = {"acme": ("zen", world.keys["zen"], "other-app"), "zen": ("acme", world.keys["acme"])}
    # As words: a tenant's key at SES, which is random, may have another's name in it.
    leaks = [
        row["row"]
        for row in rows
        if any(re.search(rf"\b{name}\b", row["row"]) for name in others[row["slug"]])
    ]
    assert leaks == []
    said = "select string_agg(because, ' ') from audit where action = 'drift.found'"
    assert "zen can send as mail.acme.example" in await world.owner.fetchval(said)
