"""A call at SES behind the back of a running system: found by its event, described, repaired, and undone by a plan."""

import json
import time
from typing import Any

import boto3

from mailcordon_fixtures import systems

PATIENCE = 60  #: seconds, on a busy machine


def drift(system: systems.System, *arguments: str) -> list[dict[str, Any]]:
    done = system.cli("drift", "list", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["items"]


def found(system: systems.System, kind: str, *arguments: str) -> dict[str, Any]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for item in drift(system, "--kind", kind, *arguments):
            return item
        time.sleep(0.3)
    raise AssertionError(system.said)


def test_a_running_system_finds_what_others_change_and_says_who(system: systems.System) -> None:
    for slug in ("ivy", "oak"):
        done = system.cli("tenant", "onboard", slug, "--type", f"newsletter=news.{slug}.example", "--json")
        assert done.returncode == 0, done.stderr
    keys = {
        slug: json.loads(system.cli("tenant", "show", slug, "--json").stdout)["key"]
        for slug in ("ivy", "oak")
    }
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
    crossing = found(system, "shared-association")
    assert crossing["says"].startswith("oak can send as news.ivy.example, which belongs to ivy.")
    assert crossing["found_by"] == "event"
    assert crossing["by"]["event"] == "CreateTenantResourceAssociation"
    for slug in ("ivy", "oak"):
        shown = system.cli("tenant", "show", slug).stdout
        assert "SES is set up" not in shown
        assert "oak can send as news.ivy.example" in shown
    assert "oak can send as news.ivy.example" in system.cli("status").stdout

    ses.put_email_identity_dkim_attributes(EmailIdentity="news.oak.example", SigningEnabled=False)
    off = found(system, "dkim-off", "--all")
    assert "news.oak.example leaves without a DKIM signature" in off["says"]

    applied = system.cli("apply", str(crossing["plan"]), "--yes")
    assert applied.returncode == 0, applied.stderr
    end = time.monotonic() + PATIENCE
    while drift(system, "--tenant", "oak") and time.monotonic() < end:
        time.sleep(0.3)
    assert drift(system, "--tenant", "oak") == []
    assert ses.get_email_identity(EmailIdentity="news.oak.example")["DkimAttributes"]["SigningEnabled"]
    left = ses.list_tenant_resources(TenantName=keys["oak"])["TenantResources"]
    assert news not in {each["ResourceArn"] for each in left}
    assert "SES is set up" in system.cli("tenant", "show", "oak").stdout
