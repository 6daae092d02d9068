"""Plans of files, by the command line of a running system."""

import json
import uuid
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailcordon.control.assess.account import Account, Identity, SesTenant
from mailcordon.control.assess.report import assess

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def slug() -> str:
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tenants.yaml"


def of(slug: str, **members: object) -> str:
    return yaml.safe_dump({"version": 1, "tenants": {slug: members}}, sort_keys=False)


def as_json(run: Run, *words: str, exit_code: int = 0) -> dict[str, Any]:
    code, out, err = run(*words, "--json")
    assert code == exit_code, out + err
    return json.loads(out)


def exported(run: Run, slug: str) -> dict[str, Any]:
    return yaml.safe_load(run("export", slug)[1])["tenants"][slug]


def test_a_file_becomes_a_tenant_and_is_exported_as_it_was(run: Run, slug: str, file: Path) -> None:
    types = {"invoice": f"mail.{slug}.example", "newsletter": f"news.{slug}.example"}
    file.write_text(of(slug, dedicated=True, types=types))

    made = as_json(run, "plan", "-f", str(file))
    assert made["steps"][0]["kind"] == "add-tenant"
    assert {call["state"] for call in made["calls"]} == {"pending"}
    assert run("tenant", "show", slug)[0] == 3, "a plan changes nothing"

    applied = as_json(run, "apply", str(made["id"]), "--because", "a new customer", "--yes")
    assert applied["state"] == "applied"
    assert {call["state"] for call in applied["calls"]} <= {"done", "needless"}
    assert exported(run, slug) == {"dedicated": True, "types": types}

    _, out, _ = run("plan", "-f", str(file))
    assert out == "Nothing to change: what was last seen at SES is what is desired.\n"


def test_a_fault_names_file_line_and_member_and_nothing_is_made(run: Run, slug: str, file: Path) -> None:
    file.write_text(
        f"tenants:\n  {slug}:\n    types:\n      no-such-type: m.{slug}.example\n      invoice: m.{slug}.example\n"
    )
    code, _, err = run("apply", "-f", str(file), "--yes")
    assert code == 1
    assert f"{file}:4: tenants.{slug}.types.no-such-type: " in err
    assert run("tenant", "show", slug)[0] == 3

    file.write_text(f"tenants:\n  {slug}:\n    type:\n      invoice: m.{slug}.example\n")
    code, out, err = run("plan", "-f", str(file))
    assert (code, out) == (2, "")
    assert f"{file}:3: tenants.{slug}.type: is not known here." in err


def test_a_lane_moves_and_one_that_is_not_named_stays(run: Run, slug: str, file: Path) -> None:
    types = {"invoice": f"mail.{slug}.example", "newsletter": f"news.{slug}.example"}
    file.write_text(of(slug, types=types))
    as_json(run, "apply", "-f", str(file), "--yes")

    file.write_text(of(slug, types={"invoice": f"new.{slug}.example"}))
    moved = as_json(run, "apply", "-f", str(file), "--yes")
    assert [step["kind"] for step in moved["steps"]] == ["add-domain", "move-lane"]
    assert exported(run, slug)["types"] == {**types, "invoice": f"new.{slug}.example"}


def test_the_second_of_two_operators_is_told(run: Run, slug: str, file: Path) -> None:
    file.write_text(of(slug, types={"invoice": f"mail.{slug}.example"}))
    first, second = (as_json(run, "plan", "-f", str(file)) for _ in range(2))
    as_json(run, "apply", str(second["id"]), "--yes")
    refused = as_json(run, "apply", str(first["id"]), "--yes", exit_code=1)
    assert refused["problem"]["code"] == "plan-outdated"
    assert str(second["id"]) in refused["problem"]["detail"]


def test_a_rejected_plan_is_applied_by_nobody(run: Run, slug: str, file: Path) -> None:
    file.write_text(of(slug, types={"invoice": f"mail.{slug}.example"}))
    made = as_json(run, "plan", "-f", str(file), "--because", "perhaps")
    as_json(run, "plans", "reject", str(made["id"]), "--because", "not now")
    shown = as_json(run, "plans", "show", str(made["id"]))
    assert (shown["state"], shown["decided_because"]) == ("rejected", "not now")
    refused = as_json(run, "apply", str(made["id"]), "--yes", exit_code=1)
    assert refused["problem"]["code"] == "plan-decided"
    assert run("tenant", "show", slug)[0] == 3


def test_without_a_terminal_nothing_is_applied_unconfirmed(run: Run, slug: str, file: Path) -> None:
    file.write_text(of(slug, types={"invoice": f"mail.{slug}.example"}))
    code, _, err = run("apply", "-f", str(file))
    assert code == 2
    assert "--yes" in err
    assert run("tenant", "show", slug)[0] == 3


def test_the_schema_is_printed(run: Run) -> None:
    assert json.loads(run("plan", "--schema")[1])["title"] == "Tenants of Mailcordon"


def test_the_tenants_file_of_an_assessment_is_planned(run: Run, slug: str, file: Path) -> None:
    owned = {f"{slug}-{name}": (f"m{name}.{slug}.example",) for name in ("a", "b")}
    shared = f"shared.{slug}.example"
    account = Account(
        region="us-east-1",
        on=date(2026, 11, 30),
        identities=[
            Identity(name=name) for name in (shared, *(each for of in owned.values() for each in of))
        ],
        tenants=[SesTenant(name=name, identities=(*of, shared)) for name, of in owned.items()],
    )
    file.write_text(assess(account, registrable=lambda domain: f"{slug}.example").tenants_file)
    made = as_json(run, "plan", "-f", str(file))
    assert {step["tenant"] for step in made["steps"] if step["kind"] == "add-tenant"} == set(owned)
