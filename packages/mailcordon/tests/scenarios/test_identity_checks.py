"""`mailcordon identity check` on a running system: the role `control` checks by itself, and the DNS is the local SES's."""

import json
from typing import Any

from mailcordon_fixtures import systems

DOMAIN = "mail.checked.example"


def test_a_domain_is_checked_by_itself_and_on_request(system: systems.System, run: Any) -> None:
    code, _, err = run("tenant", "onboard", "checked", "--type", f"invoice={DOMAIN}", "--wait", "60s")
    assert code == 0, err

    def checked() -> bool:
        return run("identity", "check", DOMAIN, "--last", "--json")[0] in (0, 1)

    systems.wait_until(checked, "the schedule has checked the domain")

    code, out, _ = run("identity", "check", DOMAIN)
    # No DMARC record is published there, and that is an error.
    assert code == 1
    for word in ("dkim", "mail-from", "dmarc", "invoice", f"_dmarc.{DOMAIN}", "v=DMARC1"):
        assert word in out, out

    code, out, err = run("identity", "check", DOMAIN, "--json")  # within ten seconds: the last one is shown
    assert (code, json.loads(out)["domain"]) == (1, DOMAIN)
    assert "checked a moment ago" in err

    code, out, _ = run("identity", "lapse-policy", "marketing", "--json")
    assert (code, [item["action"] for item in json.loads(out)["items"]]) == (0, ["report", "hold"])
    code, out, err = run(
        "identity", "lapse-policy", "urgent", "weaker", "--action", "report", "--because", "as it was"
    )
    assert (code, "as it was" in out) == (0, True), err
    assert run("identity", "lapse-policy", "--action", "hold", "--because", "x")[0] == 2
    assert run("identity", "check", "nobody.example")[0] == 3
