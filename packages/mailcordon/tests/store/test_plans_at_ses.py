"""Plans against the local SES: what applying one makes of it, in which order, and a kill at every call."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from mailcordon.control import steps
from mailcordon.control.provisioning import Row
from mailcordon.control.steps import Step, StepKind

from .test_control_reconcile import Killed, World, ask
from .test_control_reconcile import world as world

DEDICATED = steps.set_topology("acme", dedicated=True, ses_tenants="per-class")


async def apply(world: World, *asked: Step) -> int:
    made = await world.plans.make(asked, actor="ann")
    assert made.id is not None
    await world.plans.apply(made.id, actor="ann")
    return made.id


async def follow(world: World) -> None:
    """Everything that an applied plan leads to, once no caller has an old route any more."""
    await world.settle()
    await world.plans.follow()
    await world.owner.execute("update route_before set until = until - 60000")
    await world.plans.follow()
    for _ in range(5):  # what depends on what is gone is due again at once
        await world.settle()


async def state(world: World) -> dict[str, Any]:
    """What SES has of the platform."""
    tenants = [each["TenantName"] for each in (await ask(world.ses.list_tenants))["Tenants"]]
    associated: dict[str, set[str]] = {}
    for name in tenants:
        found = await ask(world.ses.list_tenant_resources, TenantName=name)
        associated[name] = {each["ResourceArn"].split(":", 5)[-1] for each in found["TenantResources"]}
    identities = (await ask(world.ses.list_email_identities))["EmailIdentities"]
    return {
        "sets": set((await ask(world.ses.list_configuration_sets))["ConfigurationSets"]),
        "identities": {each["IdentityName"] for each in identities},
        "associated": associated,
    }


async def test_a_tenant_moves_to_sets_and_ses_tenants_of_its_own_and_back(world: World) -> None:
    key = await world.onboard()
    await world.plans.want_everything(world.plans.settings)
    await world.settle()
    before = await state(world)
    id = await apply(world, DEDICATED)
    await world.settle()
    during = await state(world)
    assert before["associated"][key] == during["associated"][key], "nothing goes before the lanes have moved"
    await follow(world)
    assert (await world.plans.get(id)).state == "applied"
    assert await state(world) == {
        "sets": before["sets"] | {f"{key}-urgent", f"{key}-marketing"},
        "identities": before["identities"],
        "associated": {
            f"{key}-urgent": {"identity/mail.acme.example", f"configuration-set/{key}-urgent"},
            f"{key}-marketing": {"identity/news.acme.example", f"configuration-set/{key}-marketing"},
        },
    }
    back = await apply(world, steps.set_topology("acme", dedicated=False, ses_tenants="one"))
    await follow(world)
    assert (await world.plans.get(back)).state == "applied"
    assert await state(world) == before
    assert await world.owner.fetchval("select count(*) from ses_resource where not wanted") == 0


async def test_a_lane_moves_to_a_new_domain_and_its_old_one_stays_the_tenants(world: World) -> None:
    key = await world.onboard()
    await world.settle()
    id = await apply(
        world, Step(kind=StepKind.MOVE_LANE, tenant="acme", type="newsletter", to="bulk.acme.example")
    )
    await follow(world)
    assert (await world.plans.get(id)).state == "applied"
    assert (await state(world))["associated"][key] == {
        "identity/mail.acme.example",
        "identity/news.acme.example",
        "identity/bulk.acme.example",
        "configuration-set/mc-urgent",
        "configuration-set/mc-marketing",
    }


async def test_a_mail_from_domain_is_set_and_another_replaces_it(world: World) -> None:
    await world.onboard()
    await world.settle()
    for name in ("bounce", "other"):
        to = f"{name}.mail.acme.example"
        await apply(
            world,
            Step(kind=StepKind.SET_MAIL_FROM, tenant="acme", domain="mail.acme.example", to=to),
        )
        await world.settle()
        found = await ask(world.ses.get_email_identity, EmailIdentity="mail.acme.example")
        assert found["MailFromAttributes"]["MailFromDomain"] == to


@pytest.mark.parametrize("set_by", ["a plan", "somebody else"])
async def test_a_mail_from_domain_can_be_given_back_to_ses(world: World, set_by: str) -> None:
    await world.onboard()
    domain, bounce = "mail.acme.example", "bounce.mail.acme.example"
    if set_by == "a plan":
        await world.settle()
        await apply(world, Step(kind=StepKind.SET_MAIL_FROM, tenant="acme", domain=domain, to=bounce))
    else:
        # Before we have read all that SES has of the domain. What is set later is a difference, and we take it back.
        while ("identity", domain, "applied", None) not in await world.rows():
            await world.reconciler.step()
        await ask(
            world.ses.put_email_identity_mail_from_attributes, EmailIdentity=domain, MailFromDomain=bounce
        )
    await world.settle()
    back = Step(kind=StepKind.SET_MAIL_FROM, tenant="acme", domain=domain, to=None)
    id = await apply(world, back)
    assert [str(call.change) for call in (await world.plans.get(id)).calls] == [
        f"update identity {domain}: mail_from"
    ]
    await world.settle()
    found = await ask(world.ses.get_email_identity, EmailIdentity=domain)
    assert not found["MailFromAttributes"].get("MailFromDomain")
    assert (await world.plans.get(id)).state == "applied"
    # It is desired from now on: what somebody sets behind our back is a difference, and asking again changes nothing.
    assert (await world.plans.make([back], actor="ann")).id is None
    await ask(world.ses.put_email_identity_mail_from_attributes, EmailIdentity=domain, MailFromDomain=bounce)
    await world.owner.execute("update ses_resource set next_try_at = 'epoch' where name = $1", domain)
    await world.settle()
    assert await world.owner.fetchval("select count(*) from finding where kind = 'mail-from'") >= 1
    found = await ask(world.ses.get_email_identity, EmailIdentity=domain)
    assert not found["MailFromAttributes"].get("MailFromDomain")


async def test_a_call_that_ses_refuses_stands_in_the_plan_in_its_words_until_it_succeeds(
    world: World,
) -> None:
    await world.onboard()
    await world.settle()
    move = Step(kind=StepKind.MOVE_LANE, tenant="acme", type="newsletter", to="bulk.acme.example")
    id = await apply(world, move)
    world.ses.meta.events.register("before-parameter-build.sesv2.CreateEmailIdentity", spoil, "spoil")
    for _ in range(3):
        await world.reconciler.step()
    failed = [call for call in (await world.plans.get(id)).calls if call.state == "failed"]
    assert "bulk.acme.example" in {call.change.resource.name for call in failed}
    assert "BadRequestException" in (failed[0].outcome or "")
    world.ses.meta.events.unregister("before-parameter-build.sesv2.CreateEmailIdentity", unique_id="spoil")
    await follow(world)
    now = await world.plans.get(id)
    assert (now.state, {call.state for call in now.calls}) == ("applied", {"done"})


def spoil(params: dict[str, Any], **_: Any) -> None:
    params["EmailIdentity"] = "no domain"


async def test_what_is_taken_away_in_parts_is_recorded_part_by_part_with_what_ses_refused(
    world: World,
) -> None:
    await world.onboard()
    await world.settle()
    key = await world.owner.fetchval("select key from tenant")
    id = await apply(world, DEDICATED)
    await world.settle()
    await world.plans.follow()
    await world.owner.execute(
        "update plan_change set for_mail = action = 'disassociate' and member like 'identity/%'"
    )
    world.ses.meta.events.register(
        "before-parameter-build.sesv2.DeleteTenantResourceAssociation", refuse, "r"
    )
    await world.reconciler.check(await due(world, "association", key))
    said = {
        call.change.member: (call.state, call.outcome)
        for call in (await world.plans.get(id)).calls
        if call.change.removes
    }
    assert "Throttled" in str(said["configuration-set/mc-marketing"][1])
    world.ses.meta.events.unregister(
        "before-parameter-build.sesv2.DeleteTenantResourceAssociation", unique_id="r"
    )
    await world.reconciler.check(await due(world, "association", key))
    calls = (await world.plans.get(id)).calls
    states = {str(call.change.member): call.state for call in calls if call.change.action == "disassociate"}
    assert states == {
        "configuration-set/mc-marketing": "done",
        "configuration-set/mc-urgent": "done",
        "identity/mail.acme.example": "pending",
        "identity/news.acme.example": "pending",
    }
    audited = await world.owner.fetchval("select count(*) from audit where action = 'ses.disassociate'")
    assert audited == 2


def refuse(**_: Any) -> None:
    raise ClientError({"Error": {"Code": "Throttled", "Message": "no"}}, "DeleteTenantResourceAssociation")


@pytest.mark.parametrize("at", [1, 2, 4, 7, 10, 13, 15, 17, 19])
async def test_killed_at_any_call_it_ends_as_desired_and_nothing_is_made_twice(world: World, at: int) -> None:
    key = await world.onboard()
    await world.settle()
    await apply(world, DEDICATED)
    world.calls.clear()
    world.taken.clear()
    world.die_after = at
    died = False
    for _ in range(2):
        try:
            await follow(world)
        except Killed:
            died = True
    assert died
    await follow(world)
    made = sorted(name for name in world.taken if name.startswith("Create"))
    assert made == sorted(
        ["CreateConfigurationSet"] * 2
        + ["CreateConfigurationSetEventDestination"] * 4
        + ["CreateTenant"] * 2
        + ["CreateTenantResourceAssociation"] * 4
    )
    assert set((await state(world))["associated"]) == {f"{key}-urgent", f"{key}-marketing"}
    assert await world.owner.fetchval("select count(*) from plan where state = 'applying'") == 0


# Applied while a resource is being checked --------------------------------------------------------------------------------


async def due(world: World, kind: str, name: str) -> Row:
    """Its row, as a check that begins now reads it."""
    await world.owner.execute(
        "update ses_resource set next_try_at = 'epoch' where kind = $1 and name = $2", kind, name
    )
    (row,) = [each for each in await world.store.due(50) if str(each.resource) == f"{kind} {name}"]
    return row


async def associate_another(world: World, key: str) -> None:
    """As somebody else would."""
    await ask(world.ses.create_email_identity, EmailIdentity="other.example")
    (own, *_) = (await ask(world.ses.list_tenant_resources, TenantName=key))["TenantResources"]
    arn = own["ResourceArn"].rpartition(":")[0] + ":identity/other.example"
    await ask(world.ses.create_tenant_resource_association, TenantName=key, ResourceArn=arn)


async def test_a_removal_that_is_approved_while_its_resource_is_checked_is_made(world: World) -> None:
    key = await world.onboard()
    await world.settle()
    await associate_another(world, key)
    await world.reconciler.check(await due(world, "association", key))
    id = await world.owner.fetchval("select max(id) from plan where source = 'control'")
    row = await due(world, "association", key)
    await world.plans.apply(id, actor="ann")
    await world.reconciler.check(row)
    await world.settle()
    assert {call.state for call in (await world.plans.get(id)).calls} == {"done"}
    assert "identity/other.example" not in (await state(world))["associated"][key]


async def test_a_deletion_that_is_planned_while_its_resource_is_checked_is_made(world: World) -> None:
    await world.onboard()
    await apply(world, Step(kind=StepKind.ADD_DOMAIN, tenant="acme", domain="third.acme.example"))
    await world.settle()
    row = await due(world, "identity", "third.acme.example")
    id = await apply(world, Step(kind=StepKind.RETIRE_DOMAIN, tenant="acme", domain="third.acme.example"))
    await world.reconciler.check(row)
    await follow(world)
    assert {call.state for call in (await world.plans.get(id)).calls} == {"done"}
    assert "third.acme.example" not in (await state(world))["identities"]


async def test_what_was_being_made_when_a_later_plan_took_it_back_is_removed(world: World) -> None:
    await world.onboard()
    await world.plans.want_everything(world.plans.settings)
    await world.settle()
    before = await state(world)
    await apply(world, DEDICATED)
    rows = await world.store.due(50)
    back = await apply(world, steps.set_topology("acme", dedicated=False, ses_tenants="one"))
    for row in rows:
        await world.reconciler.check(row)
    await follow(world)
    assert await state(world) == before
    assert (await world.plans.get(back)).state == "applied"
    assert await world.owner.fetchval("select count(*) from ses_resource where not wanted") == 0


async def test_a_retired_tenant_is_deleted_with_what_somebody_else_has_associated_with_it(
    world: World,
) -> None:
    key = await world.onboard()
    await world.settle()
    await associate_another(world, key)
    await world.reconciler.check(await due(world, "association", key))
    id = await apply(world, Step(kind=StepKind.RETIRE_TENANT, tenant="acme"))
    await world.owner.execute("update lane set sealed_at = now(), drained_at = now(), retired_at = now()")
    await follow(world)
    assert {call.state for call in (await world.plans.get(id)).calls} == {"done"}
    assert (await state(world))["associated"] == {}
