"""A policy as people plan it: a document that is typed or uploaded becomes a plan. It is shown, and applied on its own page."""

import yaml
from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.pages import forms
from mailcordon.adapters.dashboard.pages.actions import Given, because
from mailcordon.adapters.dashboard.pages.forms import Form, Input
from mailcordon.adapters.dashboard.pages.settings_tabs import PATH
from mailcordon.adapters.dashboard.rest import FieldProblem, Problem, Rest
from mailcordon.adapters.dashboard.site import Site
from mailcordon.control.document_text import Read, Unreadable, parse
from mailcordon.messages import dashboard_forms as messages

POLICY = PATH + "/policy"
NEW = POLICY + "/plans/new"
#: Of the form: the API takes a document of 1 MiB, and a form has it with up to three bytes for one.
_MOST_BYTES = 3 * 1024 * 1024
_DOCUMENT, _FILE, _BASIS = "document", "file", "from"
_SUGGESTED = "suggestions"


def routes(site: Site) -> list[HTTPRouteHandler]:
    return forms.routes(
        site, NEW, section="settings", ask=_ask, perform=_plan, done="planned", most_bytes=_MOST_BYTES
    )


async def _ask(rest: Rest, given: Given) -> Form:
    suggested = given.get(_BASIS) == _SUGGESTED
    document, warnings = ("", []) if given.get(_DOCUMENT) else await _begun(rest, suggested)
    return Form(
        title="Plan a policy",
        back=POLICY,
        ways=[
            (NEW, "Begin with what is in force", not suggested),
            (f"{NEW}?{_BASIS}={_SUGGESTED}", "With the caps that are suggested", suggested),
        ],
        says=[messages.plans_policy()],
        warnings=warnings,
        fields=[
            Input(name=_BASIS, label="", kind="hidden", value=_SUGGESTED if suggested else ""),
            Input(
                name=_DOCUMENT,
                label="The document, in YAML or JSON",
                kind="document",
                value=document,
                file=_FILE,
            ),
            Input(name=_FILE, label="Or a file", kind="file", hint="It is taken instead of the text above."),
        ],
        button="Show what it would change",
        command=f"mailcordon policy set -f policy.yaml {because(given)}",
    )


async def _begun(rest: Rest, suggested: bool) -> tuple[str, list[str]]:
    """The document to begin with, and why it is not the one that was asked for."""
    warnings: list[str] = []
    found = None
    if suggested:
        try:
            found = await rest.get("/v1/policy/suggestions")
        except Problem as problem:  # such as too many lanes to read at once
            if problem.status != 422:
                raise
            why = [one.problem for one in problem.fields] or [problem.sentence]
            warnings.append(messages.no_suggestions("; ".join(why)))
    found = found or await rest.get("/v1/policy")
    return yaml.safe_dump(found["document"], sort_keys=False, allow_unicode=True, width=120), warnings


async def _plan(rest: Rest, given: Given) -> str:
    try:
        read = parse(given.get(_FILE) or given.get(_DOCUMENT), "document")
    except Unreadable as problem:
        raise forms.refused(_DOCUMENT, str(problem)) from None
    try:
        made = await rest.post("/v1/policy/plans", body={"document": read.data, "because": given.because})
    except Problem as problem:
        raise _located(problem, read) from None
    if made["id"] is None:
        raise Problem(422, messages.policy_stays(), "nothing-to-change")
    return f"{POLICY}/plans/{made['id']}"


def _located(problem: Problem, read: Read) -> Problem:
    """With the line of each member that is wrong, in the order of the document."""
    placed: list[tuple[int, FieldProblem]] = []
    for one in problem.fields:
        member = one.field.removeprefix("document").removeprefix(".")
        if member == one.field:
            placed.append((0, one))
            continue
        line = read.line(member)
        said = messages.in_document(line, member, one.problem) if member else one.problem
        placed.append((line, FieldProblem(_DOCUMENT, said)))
    fields = tuple(one for _, one in sorted(placed, key=lambda one: one[0]))
    return Problem(problem.status, problem.sentence, problem.code, fields=fields)
