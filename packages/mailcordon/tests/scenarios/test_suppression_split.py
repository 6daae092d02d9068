"""The account's suppression list taken apart on a running system, by the commands of docs/suppressions.md."""

import json
import secrets
from typing import Any

import boto3
import pytest

from mailcordon_fixtures import systems
from mailcordon_fixtures.systems import System

from .conftest import Run

SPLIT = ("suppression", "split")
BECAUSE = ("--because", "a test")
OPEN = ("listed", "owned", "freeing")


@pytest.fixture
def account(system: System) -> Any:
    return boto3.client(
        "sesv2",
        endpoint_url=system.ses_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def test_a_person_starts_follows_decides_and_finishes(run: Run, account: Any) -> None:
    slug = f"split-{secrets.token_hex(3)}"
    exit, _, err = run("tenant", "onboard", slug, "--type", f"newsletter=mail.{slug}.example")
    assert exit == 0, err
    mine, stray = f"Kim-{slug}@example.com", f"stray-{slug}@example.com"
    for address in (mine, stray):
        account.put_suppressed_destination(EmailAddress=address, Reason="BOUNCE")

    def said(*words: str, code: int = 0) -> Any:
        exit, out, err = run(*SPLIT, *words, "--json")
        assert exit == code, err
        return json.loads(out)

    def settled() -> bool:
        found = said("status")
        return found["phase"] == "watching" and not any(found["states"].get(one) for one in OPEN)

    exit, _, err = run(*SPLIT, "start", "--owner", "kim", "--release", *BECAUSE)
    assert exit == 0, err
    systems.wait_until(settled, "all entries are taken apart")
    shown = said("show", "--address", stray.upper())["items"]
    assert [(one["address"], one["state"], one["owner"]) for one in shown] == [(stray, "unowned", "kim")]
    assert said("assign", mine, "--tenant", slug, *BECAUSE)["entries"] == 1
    assert said("assign", stray, "--nobody", "--yes", *BECAUSE)["entries"] == 1
    systems.wait_until(settled, "what was decided is carried out")
    found = [one for address in (mine, stray) for one in said("show", "--address", address)["items"]]
    states = {one["address"]: (one["state"], one["tenant"]) for one in found}
    assert states == {mine: ("assigned", slug), stray: ("freed", None)}
    for address in (mine, stray):
        with pytest.raises(account.exceptions.NotFoundException):
            account.get_suppressed_destination(EmailAddress=address)
    exit, out, err = run(*SPLIT, "finish", "--leave-unowned", *BECAUSE)
    assert (exit, "It ended on" in out) == (0, True), err
    exit, _, err = run(*SPLIT, "finish", *BECAUSE)
    assert (exit != 0, "It ended on" in err) == (True, True)
