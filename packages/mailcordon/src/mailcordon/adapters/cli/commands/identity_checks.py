"""`mailcordon identity check` and `identity lapse-policy`: are its records right, and what does a lapse do to lanes?"""

from typing import Annotated, Literal

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Class, Cli
from mailcordon.adapters.cli.commands import identity
from mailcordon.adapters.cli.document import Document, child, children
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import cli as messages
from mailcordon.messages import identities as words

app = typer.Typer()  # its commands are part of `mailcordon identity`

JUST_NOW = "checked-just-now"


@command.remote(
    app,
    "check",
    examples="""
mailcordon identity check mail.acme.example
mailcordon identity check mail.acme.example --watch 15s
mailcordon identity check mail.acme.example --last --json
mailcordon identity check mail.acme.example --rules
""",
    watchable=True,
)
async def check(
    cli: Cli,
    domain: identity.Domain,
    last: Annotated[
        bool, typer.Option("--last", help="Show the last check. Default: check now, once in 10 seconds.")
    ] = False,
    rules: Annotated[
        bool,
        typer.Option(
            "--rules", help="Show the rules of Gmail, Yahoo and Microsoft for bulk senders. Default: off."
        ),
    ] = False,
) -> None:
    """Check a domain: what SES says, what its DNS shows, and whether each lane's mail passes DMARC.

    Exit code 1 if something is an error. What the DNS did not answer is no error.
    """
    found = await (_last(cli, domain) if last else _now(cli, domain))
    checklist = ["", _rules(children(found, "lanes"))] if rules else []
    cli.show_result(found, *_views(found), *checklist)
    if not found.get("passes"):
        cli.exit_code = 1


async def _now(cli: Cli, domain: str) -> Document:
    try:
        return await cli.api.post(path("identities", domain, "check"), {})
    except failures.Failure as failure:
        if failure.code != JUST_NOW:
            raise
        try:
            found = await _last(cli, domain)
        except failures.Failure:  # the first check is still running
            raise failure from None
        cli.note(failure.sentence)
        return found


async def _last(cli: Cli, domain: str) -> Document:
    return await cli.api.get(path("identities", domain, "check"))


def _views(found: Document) -> list[RenderableType]:
    ses = child(found, "ses")
    about = show.fields(
        [
            ("domain", found.get("domain")),
            ("tenant", found.get("tenant")),
            ("checked", when(found.get("at"))),
            ("SES asked", when(ses.get("observed_at"))),
            *([("lapsed", when(found["lapsed_at"]))] if found.get("lapsed_at") else []),
            ("next check", when(found.get("next_check_at"))),
        ]
    )
    records = once([child(row, "publish") for row in children(found, "rows") if row.get("publish")])
    views: list[RenderableType] = [about, "", _rows(children(found, "rows"))]
    if records:
        views += ["", messages.records_heading(), identity.record_table(records)]
    views += ["", _lanes(children(found, "lanes"))]
    sure = words.how_checked(
        authoritative=bool(found.get("authoritative")), complete=bool(found.get("complete"))
    )
    return [*views, "", sure]


def once(records: list[Document]) -> list[Document]:
    """Several faults can have the same repair."""
    return [each for number, each in enumerate(records) if each not in records[:number]]


def _rows(rows: list[Document]) -> RenderableType:
    return show.table(
        ("what", "state", "says"),
        [(row.get("what"), row.get("state"), row.get("says")) for row in rows],
        prose=("says",),
    )


def _rules(lanes: list[Document]) -> RenderableType:
    return show.table(
        ("lane", "provider", "state", "rule"),
        [
            (
                lane.get("type") or words.domain_without_lanes(),
                rule.get("provider"),
                rule.get("state"),
                rule.get("says"),
            )
            for lane in lanes
            for rule in children(lane, "rules")
        ],
        prose=("rule",),
    )


def _lanes(lanes: list[Document]) -> RenderableType:
    return show.table(
        ("lane", "from", "DMARC", "policy", "says"),
        [
            (
                lane.get("type") or words.domain_without_lanes(),
                lane.get("from_domain"),
                lane.get("result"),
                lane.get("policy"),
                lane.get("says"),
            )
            for lane in lanes
        ],
        drop=("from", "policy"),
        prose=("says",),
    )


@command.remote(
    app,
    "lapse-policy",
    examples="""
mailcordon identity lapse-policy
mailcordon identity lapse-policy transactional fails --action slow \\
    --rate 2 --because "refused mail costs reputation"
""",
)
async def lapse_policy(
    cli: Cli,
    class_: Annotated[
        Class | None, typer.Argument(metavar="CLASS", help="A priority class. Default: all.")
    ] = None,
    effect: Annotated[
        Literal["weaker", "fails"] | None,
        typer.Argument(
            metavar="EFFECT", help="weaker: mail still passes DMARC; fails: it does not. Default: both."
        ),
    ] = None,
    action: Annotated[
        Literal["report", "slow", "hold"] | None,
        typer.Option("--action", help="Only report it, slow the lanes, or hold them. Default: only show."),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate", metavar="N", help="With slow: deliveries per second of each lane. Default: 0.1."
        ),
    ] = None,
    because: Annotated[
        str | None,
        typer.Option("--because", metavar="TEXT", help="The reason. It is shown and audited. Default: none."),
    ] = None,
) -> None:
    """Show or set what happens to the lanes of a class when their domain lapses."""
    if action is not None and class_ is not None and effect is not None:
        body: Document = {"action": action, "rate": rate, "because": because or ""}
        found = await cli.api.call("PUT", path("lapse-policies", class_, effect), body=body)
        cli.show_result(found, _policies([found]))
        return
    if action is not None:
        raise failures.usage(words.policy_needs_class_and_effect())
    found = await cli.api.get(path("lapse-policies"))
    items = [
        item
        for item in children(found, "items")
        if class_ in (None, item.get("class")) and effect in (None, item.get("effect"))
    ]
    found["items"] = items
    cli.show_result(found, _policies(items))


def _policies(items: list[Document]) -> RenderableType:
    return show.table(
        ("class", "mail then", "action", "rate", "set by", "because"),
        [
            (
                item.get("class"),
                plain(item.get("effect")),
                item.get("action"),
                plain(item.get("rate")),
                item.get("by"),
                item.get("because"),
            )
            for item in items
        ],
        drop=("because", "set by"),
        prose=("because",),
    )
