"""What lanes share with each other and with other tenants: pure."""

from typing import Any

from mailcordon.control import sharing
from mailcordon.control.sharing import UsedRoute
from mailcordon.core.lane import Lane
from mailcordon.core.priority import Class
from mailcordon.core.route import Route


def lane(type: str, domain: str, class_: Class, set_kind: str = "shared", **more: Any) -> UsedRoute:
    given: dict[str, Any] = {"ses_tenant": "mc-a", "configuration_set": f"mc-{class_.word}", **more}
    lane = Lane(id=1, tenant=1, tenant_key="mc-a", type=type, class_=class_)
    return UsedRoute(
        route=Route(lane=lane, turn=1, path="isolated", domain=domain, **given), set_kind=set_kind
    )


def test_lanes_on_one_domain_say_so() -> None:
    found = sharing.by_type(
        [
            lane("invoice", "m.acme.example", Class.TRANSACTIONAL),
            lane("receipt", "m.acme.example", Class.TRANSACTIONAL),
        ]
    )
    assert found["invoice"][0] == "domain m.acme.example and its reputation: shared with receipt"


def test_a_parent_domain_is_shared_in_part() -> None:
    found = sharing.by_type(
        [
            lane("invoice", "acme.example", Class.TRANSACTIONAL),
            lane("newsletter", "news.acme.example", Class.MARKETING),
        ]
    )
    assert any(said.startswith("parent domain") for said in found["newsletter"])


def test_a_lane_with_everything_of_its_own_shares_nothing() -> None:
    one = lane(
        "invoice",
        "m.example",
        Class.TRANSACTIONAL,
        configuration_set="mc-a-x",
        set_kind="dedicated",
        ip_pool="own",
    )
    assert sharing.by_type([one]) == {"invoice": []}
    assert sharing.summary([one]) == []


def test_the_summary_names_each_shared_thing_once_with_all_its_lanes() -> None:
    lanes = [
        lane("password-reset", "m.example", Class.URGENT),
        lane("login-code", "m.example", Class.URGENT),
        lane("newsletter", "n.example", Class.MARKETING),
    ]
    assert sharing.summary(lanes) == [
        "domain m.example and its reputation: login-code and password-reset",
        "SES tenant mc-a: login-code, newsletter and password-reset; when SES pauses it, all of them stop",
        "configuration set mc-urgent: login-code and password-reset, and lanes of other tenants",
        "configuration set mc-marketing: newsletter, and lanes of other tenants",
        "SES's shared IP pool: login-code, newsletter and password-reset, and every other sender in the region",
    ]
