"""A call at SES behind the back of a running system: found by its event, described, repaired, and undone by a plan."""

import json
import time
from collections.abc import Callable
from typing import Any

import boto3

from mailcordon_fixtures import systems

PATIENCE = 60  #: seconds, on a busy machine

Run = Callable[..., tuple[int, str, str]]


def document(run: Run, *words: str) -> dict[str, Any]:
    code, out, err = run(*words, "--json")
    assert code == 0, err
    return json.loads(out)


def drift(run: Run, *words: str) -> list[dict[str, Any]]:
    return document(run, "drift", "list", *words)["items"]


def found(run: Run, kind: str, *words: str) -> dict[str, Any]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for item in drift(run, "--kind", kind, *words):
            return item
        time.sleep(0.05)
    raise AssertionError(f"no drift of kind {kind}")


def test_a_running_system_finds_what_others_change_and_says_who(system: systems.System, run: Run) -> None:
    for slug in ("ivy", "oak"):
        document(run, "tenant", "onboard", slug, "--type", f"newsletter=news.{slug}.example")
    keys = {slug: document(run, "tenant", "show", slug)["key"] for slug in ("ivy", "oak")}
    ses: Any = boto3.client(
        "sesv2",
        region_name="us-east-1",
        endpoint_url=system.ses_url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    arns = ses.list_tenant_resources(TenantName=keys["ivy"])["TenantResources"]
    news = next(each["ResourceArn"] for each in arns if "identity/" in each["ResourceArn"])

    ses.create_tenant_resource_association(TenantName=keys["oak"], ResourceArn=news)
    crossing = found(run, "shared-association")
    assert crossing["says"].startswith("oak can send as news.ivy.example, which belongs to ivy.")
    assert crossing["found_by"] == "event"
    assert crossing["by"]["event"] == "CreateTenantResourceAssociation"
    for slug in ("ivy", "oak"):
        shown = run("tenant", "show", slug)[1]
        assert "SES is set up" not in shown
        assert "oak can send as news.ivy.example" in shown
    assert "oak can send as news.ivy.example" in run("status")[1]

    ses.put_email_identity_dkim_attributes(EmailIdentity="news.oak.example", SigningEnabled=False)
    off = found(run, "dkim-off", "--all")
    assert "news.oak.example leaves without a DKIM signature" in off["says"]

    code, _, err = run("apply", str(crossing["plan"]), "--yes")
    assert code == 0, err
    end = time.monotonic() + PATIENCE
    while drift(run, "--tenant", "oak") and time.monotonic() < end:
        time.sleep(0.05)
    assert drift(run, "--tenant", "oak") == []
    assert ses.get_email_identity(EmailIdentity="news.oak.example")["DkimAttributes"]["SigningEnabled"]
    left = ses.list_tenant_resources(TenantName=keys["oak"])["TenantResources"]
    assert news not in {each["ResourceArn"] for each in left}
    assert "SES is set up" in run("tenant", "show", "oak")[1]
