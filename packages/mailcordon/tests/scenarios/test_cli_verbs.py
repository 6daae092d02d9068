"""What the API can change, the command line can change: every mutating route of a running system's OpenAPI has a command."""

import httpx

from mailcordon_fixtures import cli_requests, systems

_CHANGES = ("post", "put", "patch", "delete")

#: Routes that no command calls, each with the reason.
WITHOUT_A_COMMAND = {
    ("POST", "/v1/messages/batch"): "applications hand in many mails at once; `send` hands in one",
    (
        "POST",
        "/v1/tenants/{slug}/changes/preview",
    ): "pages preview with it; a command's --dry-run shows its plan",
    ("POST", "/v1/events/sns"): "SNS calls it",
    ("POST", "/v1/events/firehose"): "Firehose calls it",
    ("POST", "/v1/events/eventbridge"): "EventBridge calls it",
}


def test_every_route_that_changes_something_has_a_command(system: systems.System) -> None:
    described = httpx.get(f"{system.url}/openapi.json", timeout=60).json()
    routes = {
        (method.upper(), path)
        for path, operations in described["paths"].items()
        for method in operations
        if method in _CHANGES and path.startswith("/v1/")
    }
    assert len(routes) > 80
    made, unclear = cli_requests.requests()
    assert unclear == [], "the paths of these requests cannot be read from the sources"
    without = {route for route in routes if not any(cli_requests.matches(one, *route) for one in made)}
    assert without == set(WITHOUT_A_COMMAND)
