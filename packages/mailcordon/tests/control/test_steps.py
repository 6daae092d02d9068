"""The steps of a plan, as they are completed, checked and applied to a platform. Pure."""

from dataclasses import replace

import pytest

from mailcordon.control import steps
from mailcordon.control.platform import Domain, Lane, Platform, Tenant
from mailcordon.control.steps import Step, StepKind
from mailcordon.core.errors import Conflict, Invalid
from mailcordon.core.priority import Class

ACME = Tenant(
    slug="acme",
    key="mc-abc",
    domains={"mail.acme.example": Domain(name="mail.acme.example")},
    lanes={"invoice": Lane(type="invoice", class_=Class.TRANSACTIONAL, domain="mail.acme.example")},
)
ZEN = Tenant(slug="zen", key="mc-zen", domains={"zen.example": Domain(name="zen.example")})
PLATFORM = Platform(
    revision=7,
    tenants={"acme": ACME, "zen": ZEN},
    types={"invoice": Class.TRANSACTIONAL, "newsletter": Class.MARKETING},
)


def lane(type: str, domain: str, tenant: str = "acme") -> Step:
    return Step(kind=StepKind.ADD_LANE, tenant=tenant, type=type, to=domain)


def domain(name: str, tenant: str = "acme") -> Step:
    return Step(kind=StepKind.ADD_DOMAIN, tenant=tenant, domain=name)


def test_a_new_tenant_gets_a_key_and_a_lane_brings_its_domain() -> None:
    done = steps.complete(
        PLATFORM, [steps.add_tenant("new", dedicated=True), lane("newsletter", "new.example", "new")]
    )
    assert [step.kind for step in done] == ["add-tenant", "add-domain", "add-lane"]
    made = steps.after(PLATFORM, done).tenants["new"]
    assert (made.dedicated, made.ses_tenants, len(made.key)) == (True, "one", 15)
    assert made.lanes == {"newsletter": Lane(type="newsletter", class_=Class.MARKETING, domain="new.example")}
    assert steps.after(PLATFORM, done).tenants["acme"] is ACME


def test_a_step_that_changes_nothing_is_left_out() -> None:
    same = [
        Step(kind=StepKind.MOVE_LANE, tenant="acme", type="invoice", to="mail.acme.example"),
        Step(kind=StepKind.SET_MAIL_FROM, tenant="acme", domain="mail.acme.example"),
        steps.set_topology("acme", dedicated=False, ses_tenants="one"),
    ]
    chosen = Domain(name="mail.acme.example", mail_from_chosen=True)
    acme = replace(ACME, domains={**ACME.domains, chosen.name: chosen})
    assert steps.complete(replace(PLATFORM, tenants={**PLATFORM.tenants, "acme": acme}), same) == []


def test_giving_a_mail_from_back_to_ses_is_a_change_until_a_plan_has_chosen_it() -> None:
    back = Step(kind=StepKind.SET_MAIL_FROM, tenant="acme", domain="mail.acme.example")
    [done] = steps.complete(PLATFORM, [back])
    after = steps.after(PLATFORM, [done])
    assert after.tenants["acme"].domains["mail.acme.example"].mail_from_chosen
    assert steps.complete(after, [back]) == []


def test_a_step_records_the_value_before() -> None:
    asked = [
        Step(kind=StepKind.MOVE_LANE, tenant="acme", type="invoice", to="bills.acme.example"),
        Step(
            kind=StepKind.SET_MAIL_FROM,
            tenant="acme",
            domain="mail.acme.example",
            to="bounce.mail.acme.example",
        ),
        steps.set_topology("acme", dedicated=True, ses_tenants="per-class"),
    ]
    done = steps.complete(PLATFORM, asked)
    assert [(step.kind, step.was) for step in done] == [
        ("add-domain", None),
        ("move-lane", "mail.acme.example"),
        ("set-mail-from", None),
        ("set-topology", "shared one"),
    ]
    after = steps.after(PLATFORM, done).tenants["acme"]
    assert after.lanes["invoice"].domain == "bills.acme.example"
    assert after.domains["mail.acme.example"].mail_from == "bounce.mail.acme.example"
    assert after.topology == "dedicated per-class"


@pytest.mark.parametrize("name", ["zen.example", "mail.zen.example", "a.b.zen.example"])
def test_a_domain_that_touches_anothers_is_refused_without_naming_the_other(name: str) -> None:
    with pytest.raises(Invalid, match="equal to, above or below") as refused:
        steps.check(PLATFORM, domain(name))
    assert "zen " not in str(refused.value)
    assert refused.value.faults[0].code == "domain-taken"


def test_a_domain_above_anothers_is_refused() -> None:
    deep = replace(
        PLATFORM,
        tenants={
            **PLATFORM.tenants,
            "zen": replace(ZEN, domains={"a.b.zen.example": Domain(name="a.b.zen.example")}),
        },
    )
    with pytest.raises(Invalid, match="equal to, above or below"):
        steps.check(deep, domain("zen.example"))
    with pytest.raises(Invalid, match="equal to, above or below"):
        steps.check(deep, domain("b.zen.example"))
    steps.check(deep, domain("c.zen.example"))


@pytest.mark.parametrize("name", ["other.example", "mail.other.example", "x.mail.other.example"])
def test_what_tenants_that_were_not_read_have_is_taken_too(name: str) -> None:
    partly = replace(PLATFORM, elsewhere=frozenset({"mail.other.example"}))
    with pytest.raises(Invalid, match="equal to, above or below"):
        steps.check(partly, domain(name))


def test_two_new_tenants_of_one_plan_cannot_claim_one_domain() -> None:
    asked = [
        steps.add_tenant("a", key="mc-a"),
        steps.add_tenant("b", key="mc-b"),
        domain("new.example", "a"),
        domain("mail.new.example", "b"),
    ]
    with pytest.raises(Invalid, match="equal to, above or below"):
        steps.after(PLATFORM, asked)


def test_a_tenants_own_domains_may_be_above_each_other() -> None:
    steps.check(PLATFORM, domain("acme.example"))
    steps.check(PLATFORM, domain("x.mail.acme.example"))


@pytest.mark.parametrize(
    ("step", "error", "code"),
    [
        (steps.add_tenant("acme", key="mc-x"), Conflict, "tenant-exists"),
        (steps.add_tenant("new"), Invalid, "invalid"),
        (Step(kind=StepKind.ADD_TENANT, tenant="new", to="own one mc-x"), Invalid, "invalid"),
        (domain("mail.acme.example"), Conflict, "domain-exists"),
        (domain("Mail.acme.example"), Invalid, "invalid"),
        (domain("x.example", "nobody"), Invalid, "no-such-tenant"),
        (lane("invoice", "mail.acme.example"), Conflict, "lane-exists"),
        (lane("nonsense", "mail.acme.example"), Invalid, "unknown-type"),
        (lane("newsletter", "zen.example"), Invalid, "no-such-identity"),
        (
            Step(kind=StepKind.MOVE_LANE, tenant="acme", type="newsletter", to="mail.acme.example"),
            Invalid,
            "no-such-lane",
        ),
        (Step(kind=StepKind.SET_TOPOLOGY, tenant="acme", to="both one"), Invalid, "invalid"),
        (
            Step(
                kind=StepKind.SET_MAIL_FROM,
                tenant="acme",
                domain="mail.acme.example",
                to="bounce.zen.example",
            ),
            Invalid,
            "bad-mail-from",
        ),
        (
            Step(
                kind=StepKind.SET_MAIL_FROM, tenant="acme", domain="mail.acme.example", to="mail.acme.example"
            ),
            Invalid,
            "bad-mail-from",
        ),
    ],
)
def test_a_step_that_cannot_be_applied_is_refused(step: Step, error: type[Exception], code: str) -> None:
    with pytest.raises(error) as refused:
        steps.check(PLATFORM, step)
    assert getattr(refused.value, "code", None) == code


def test_what_is_retired_is_taken_back_before_it_is_changed() -> None:
    retired = replace(PLATFORM, tenants={"acme": replace(ACME, retired=True)})
    with pytest.raises(Conflict, match="retired"):
        steps.check(retired, lane("newsletter", "mail.acme.example"))
    old = replace(ACME, lanes={"invoice": replace(ACME.lanes["invoice"], retired=True)})
    with pytest.raises(Conflict, match="unretire"):
        steps.check(replace(PLATFORM, tenants={"acme": old}), lane("invoice", "mail.acme.example"))


def test_every_step_says_what_it_does() -> None:
    for kind in StepKind:
        step = Step(
            kind=kind,
            tenant="acme",
            type="invoice",
            domain="mail.acme.example",
            was="shared one",
            to="dedicated one",
        )
        assert "acme" in steps.says(step)


def test_ten_thousand_tenants_are_checked_in_one_pass() -> None:
    """Each step looks at its own tenant and domain only: the work rises with the number of steps, not with its square."""
    asked = [
        step
        for n in range(10_000)
        for step in (steps.add_tenant(f"t{n}", key=f"mc-{n}"), lane("invoice", f"t{n}.example.net", f"t{n}"))
    ]
    done = steps.complete(PLATFORM, asked)
    assert len(done) == 30_000
    assert len(steps.after(PLATFORM, done).tenants) == 10_002


# Retiring -------------------------------------------------------------------------------------------------------------------


def of(kind: StepKind, **over: str) -> Step:
    return Step(kind=kind, tenant="acme", **over)  # pyright: ignore[reportArgumentType]


def sends(platform: Platform) -> list[str]:
    return [lane.type for lane in platform.tenants["acme"].active_lanes]


TWO = steps.after(PLATFORM, [domain("news.acme.example"), lane("newsletter", "news.acme.example")])


def test_a_domain_and_a_tenant_take_their_lanes_along_and_bring_back_what_was_retired_with_them() -> None:
    by_lane = [of(StepKind.RETIRE_LANE, type="invoice")]
    assert sends(steps.after(TWO, by_lane)) == ["newsletter"]
    by_domain = [*by_lane, of(StepKind.RETIRE_DOMAIN, domain="news.acme.example")]
    assert sends(steps.after(TWO, by_domain)) == []
    by_tenant = [of(StepKind.RETIRE_LANE, type="invoice"), of(StepKind.RETIRE_TENANT)]
    assert sends(steps.after(TWO, by_tenant)) == []
    assert sends(steps.after(TWO, [*by_tenant, of(StepKind.UNRETIRE_TENANT)])) == ["newsletter"]
    back = [*by_domain, of(StepKind.UNRETIRE_DOMAIN, domain="news.acme.example")]
    assert sends(steps.after(TWO, back)) == ["newsletter"]
    assert sends(steps.after(TWO, [*back, of(StepKind.UNRETIRE_LANE, type="invoice")])) == [
        "invoice",
        "newsletter",
    ]


def test_a_lane_does_not_come_back_before_its_domain() -> None:
    gone = steps.after(TWO, [of(StepKind.RETIRE_DOMAIN, domain="news.acme.example")])
    for step in (
        of(StepKind.UNRETIRE_LANE, type="newsletter"),
        of(StepKind.MOVE_LANE, type="newsletter", to="mail.acme.example"),
        of(StepKind.RETIRE_LANE, type="newsletter"),
    ):
        with pytest.raises(Conflict) as caught:
            steps.check(gone, step)
        assert caught.value.code == "domain-retired"


def test_what_is_retired_is_not_retired_again_and_its_mail_drains_unless_said_otherwise() -> None:
    once = steps.complete(TWO, [of(StepKind.RETIRE_LANE, type="invoice")])
    assert [step.mail for step in once] == ["drain"]
    gone = steps.after(TWO, once)
    assert steps.complete(gone, [of(StepKind.RETIRE_LANE, type="invoice")]) == []
    assert (
        steps.complete(TWO, [of(StepKind.UNRETIRE_LANE, type="invoice"), of(StepKind.UNRETIRE_TENANT)]) == []
    )
    for kind in (StepKind.RETIRE_LANE, StepKind.UNRETIRE_LANE):
        with pytest.raises(Invalid):
            steps.complete(TWO, [of(kind, type="receipt")])


@pytest.mark.parametrize(
    ("step", "field"),
    [
        (Step(kind=StepKind.RETIRE_TENANT, tenant="acme", type="invoice"), "type"),
        (Step(kind=StepKind.RETIRE_TENANT, tenant="acme", domain="mail.acme.example"), "domain"),
        (Step(kind=StepKind.RETIRE_LANE, tenant="acme", type="invoice", domain="x.acme.example"), "domain"),
        (Step(kind=StepKind.UNRETIRE_DOMAIN, tenant="acme", domain="x.acme.example", type="invoice"), "type"),
        (Step(kind=StepKind.ADD_LANE, tenant="acme", type="invoice", to="a.example", mail="cancel"), "mail"),
        (Step(kind=StepKind.RETIRE_LANE, tenant="acme"), "type"),
        (Step(kind=StepKind.SET_TOPOLOGY, tenant="acme"), "to"),
    ],
    ids=str,
)
def test_a_step_has_the_fields_of_its_kind_and_no_others(step: Step, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        steps.parse(step)
    assert [fault.field for fault in refused.value.faults] == [field]


def test_a_lane_gets_a_shared_path_that_exists_and_does_not_move_meanwhile() -> None:
    platform = replace(PLATFORM, shared_paths=frozenset({"platform"}))
    add = Step(kind=StepKind.ADD_PATH, tenant="acme", type="invoice", to="platform")
    [done] = steps.complete(platform, [add])
    after = steps.after(platform, [done])
    assert after.tenants["acme"].lanes["invoice"].shared_path == "platform"
    assert steps.complete(after, [add]) == []
    with pytest.raises(Invalid, match="there is: platform"):
        steps.check(platform, replace(add, to="other"))
    move = Step(kind=StepKind.MOVE_LANE, tenant="acme", type="invoice", to="mail.acme.example")
    with pytest.raises(Conflict, match="mailcordon path drop acme invoice"):
        steps.check(after, move)
    [drop] = steps.complete(after, [Step(kind=StepKind.DROP_PATH, tenant="acme", type="invoice")])
    assert drop.was == "platform"
    assert steps.after(after, [drop]) == platform
    assert steps.complete(platform, [drop]) == []
    assert [steps.says(one) for one in (done, drop)] == [
        "let invoice of acme use the shared path platform beside its own",
        "take the shared path platform from invoice of acme, so that all of its mail takes its own",
    ]
