"""A policy on a running system, from the command line: planned, applied, obeyed by the dispatcher, and told line by line."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailcordon_fixtures import systems
from mailcordon_fixtures.systems import System

from .test_cli import Run, onboard, send


@pytest.fixture
def tenant() -> str:
    return f"policy-{secrets.token_hex(3)}"


@pytest.fixture
def in_force(run: Run, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The document in force, which is in force again after the test."""
    found = json.loads(run("policy", "show", "--json")[1])["document"]
    yield found
    file = tmp_path / "before.yaml"
    file.write_text(yaml.safe_dump(found))
    code, _, err = run("policy", "set", "-f", str(file), "--yes")
    assert code == 0, err


def test_a_cap_that_is_set_lets_so_many_mails_leave_and_says_why_the_rest_waits(
    system: System, run: Run, tenant: str, in_force: dict[str, Any], tmp_path: Path
) -> None:
    onboard(run, tenant)
    lane = {
        "because": "tried out",
        # By the day: an hour may end while the test looks.
        "caps": {"lane": {"day": {"mails": 50, "mode": "enforce"}}, "recipient": {"day": 2}},
    }
    file = tmp_path / "policy.yaml"
    tenants = {**in_force.get("tenants", {}), tenant: {"types": {"password-reset": lane}}}
    file.write_text(yaml.safe_dump({**in_force, "tenants": tenants}))
    code, out, err = run("policy", "set", "-f", str(file), "--because", "tried out", "--yes", "--json")
    assert code == 0, err
    assert {one["path"] for one in json.loads(out)["changes"]} == {"caps.lane.day", "caps.recipient.day"}
    ids = [json.loads(send(run, tenant, "--json")[1])["id"] for _ in range(3)]

    def states() -> list[str]:
        found = json.loads(run("messages", "--tenant", tenant, "--json")[1])["items"]
        return sorted(str(one["state"]) for one in found)

    systems.wait_until(
        lambda: states() == ["delivered", "delivered", "waiting"], "two of three mails have left"
    )
    said = [json.loads(run("why", id, "--json")[1]) for id in ids]
    assert any("tried out" in json.dumps(one) for one in said), said
    found = json.loads(run("policy", "show", tenant, "password-reset", "--json")[1])
    values = {one["path"]: one for one in found["lanes"][0]["values"]}
    assert values["caps.recipient.day"]["origin"] == f"lane {tenant}/password-reset"


def test_a_tier_is_given_by_a_plan_that_changes_nothing_else(
    run: Run, tenant: str, in_force: dict[str, Any]
) -> None:
    onboard(run, tenant)
    told = run("tier", "facts", tenant, "--list-source", "bought")
    assert "Its facts suggest strict: its lists are bought" in " ".join(told[1].split()), told
    code, out, err = run("tier", "set", tenant, "strict", "--because", "bought lists", "--dry-run", "--json")
    assert code == 0, err
    planned = json.loads(out)
    assert {one["path"] for one in planned["changes"]} >= {"tier", "breaker.sensitivity"}
    assert all(lane.startswith(f"{tenant}/") for one in planned["changes"] for lane in one["lanes"])
    code, out, err = run("policy", "apply", str(planned["id"]), "--yes")
    assert code == 0, err
    assert "is in force. It changed 2 lanes." in out
    shown = json.loads(run("tier", "show", tenant, "--json")[1])
    assert (shown["tier"], shown["suggested_tier"]) == ("strict", "strict")


def test_a_document_that_contradicts_itself_is_refused_with_both_lines(
    run: Run, tenant: str, tmp_path: Path
) -> None:
    onboard(run, tenant)
    file = tmp_path / "policy.yaml"
    file.write_text(
        f"tenants:\n  {tenant}:\n    caps:\n      provider:\n        gmail: {{day: 60}}\n"
        "    warm_up:\n      steps:\n        gmail: [100, 200]\n"
    )
    code, out, err = run("policy", "set", "-f", str(file), "--yes")
    assert code == 2, out
    assert f"{file}:5: tenants.{tenant}.caps.provider.gmail.day: 60 mails a day are below" in err
    assert f"{file}:8: tenants.{tenant}.warm_up.steps.gmail: the first step, 100 mails a day, is above" in err
    file.write_text("tenants:\n  nobody-knows:\n    tier: strict\n")
    code, _, err = run("policy", "diff", "-f", str(file))
    assert code != 0
    assert f"{file}:2: tenants.nobody-knows: there is no tenant nobody-knows" in err
