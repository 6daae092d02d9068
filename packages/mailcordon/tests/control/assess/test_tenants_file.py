"""The tenants file of a report is one that `mailcordon plan -f` takes: parsed and completed by the code that the plan uses."""

from collections.abc import Callable, Sequence
from functools import cache

import pytest
import yaml

from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.control import document
from mailcordon.control.assess import report
from mailcordon.control.assess.account import Account, ConfigurationSet, Identity
from mailcordon.control.assess.message_types import CLASS_OF
from mailcordon.control.assess.reading import Reading
from mailcordon.control.platform import Platform
from mailcordon.control.steps import Step, StepKind
from mailcordon_fixtures import recorded_accounts as recorded

EMPTY = Platform(revision=1, tenants={}, types=CLASS_OF)
suffixes = PublicSuffixes()
registrable = cache(suffixes.registrable)


def planned(text: str) -> Sequence[Step]:
    return document.complete(document.parse(yaml.safe_load(text), local=True, suffixes=suffixes), EMPTY)


@pytest.mark.parametrize("made", [recorded.small, recorded.messy])
async def test_the_file_of_a_recorded_account_is_taken(made: Callable[..., object]) -> None:
    account = recorded.empty()
    made(account)
    reading = Reading(recorded.Direct(account), "eu-west-1", recorded.TODAY)
    found = report.assess(await reading.read(await reading.lists()), registrable=registrable)
    steps = planned(found.tenants_file)
    added = {step.tenant for step in steps if step.kind is StepKind.ADD_TENANT}
    assert added == {each.slug for each in found.tenants if each.lanes}
    # Configuration sets of its own are proposed for whom it must be possible to stop alone.
    own = {
        slug for slug, spec in yaml.safe_load(found.tenants_file)["tenants"].items() if spec.get("dedicated")
    }
    assert own == {each.slug for each in found.tenants if each.endangers}


def test_tenants_below_a_domain_of_another_tenant_are_taken() -> None:
    """The platform sends from the domain whose subdomains its customers have, and two customers from one."""
    names = ("apps.platform.example", *(f"{name}.apps.platform.example" for name in ("bolt", "shop", "kite")))
    account = Account(
        region="eu-west-1",
        on=recorded.TODAY,
        identities=[
            *(Identity(name=name) for name in names),
            Identity(name="platform.example", tags={"tenant": "platform"}),
            Identity(name="eu.acme.example", tags={"tenant": "acme"}),
            Identity(name="acme.example", tags={"tenant": "acme-holding"}),
        ],
        sets=[ConfigurationSet(name="main")],
    )
    found = report.assess(account, registrable=registrable)
    added = {step.tenant for step in planned(found.tenants_file) if step.kind is StepKind.ADD_TENANT}
    assert added == {"bolt", "shop", "kite", "platform", "acme", "acme-holding"}
