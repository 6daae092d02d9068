"""Who calls, and what that principal may do: GetCallerIdentity of STS and SimulatePrincipalPolicy of IAM, in the Query protocol.

The simulation is decided by what decides calls (iam/decision.py). It knows the principals of the access keys, whose policies are
read and written by the admin API; there are no users, roles or groups beside them. Each action is evaluated for each resource,
and each pair has its result (IAM API Reference, SimulatePrincipalPolicy). What is not evaluated here is refused by name.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b32encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from botocore.loaders import Loader

from seslocal import authorization, messages
from seslocal.errors import ApiError
from seslocal.iam import documents
from seslocal.iam.conditions import KEYS, Context, Unknown
from seslocal.iam.decision import Attached, Policy, decide
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.wire import signature
from seslocal.wire.params import Params
from seslocal.wire.protocol import Request, Response
from seslocal.wire.query import QueryModel, read_form

_KIND: Final = "text/xml"
GLOBAL_REGION: Final = "us-east-1"  #: IAM is one service for all regions, and signed for this one
#: Parameters of a simulation that change its outcome and are not evaluated here.
_REFUSED: Final = (
    "PermissionsBoundaryPolicyInputList",
    "ResourcePolicy",
    "ResourceOwner",
    "CallerArn",
    "ResourceHandlingOption",
)


class _Service(NamedTuple):
    name: str
    version: str
    operation: str


STS: Final = _Service("sts", "2011-06-15", "GetCallerIdentity")
IAM: Final = _Service("iam", "2010-05-08", "SimulatePrincipalPolicy")


def service_of(request: Request) -> _Service | None:
    """Which of the two a form is for, by its version; None: neither."""
    if request.path != "/" or request.method != "POST":
        return None
    return next((one for one in (STS, IAM) if f"Version={one.version}".encode() in request.body), None)


def is_for(request: Request) -> bool:
    return service_of(request) is not None


def respond(account: Account, request: Request, caller: Callable[[str], Caller]) -> Response:
    """`caller` is given the service and raises ApiError if the signature is wrong."""
    service = service_of(request)
    assert service is not None
    try:
        who = caller(service.name)
        form = read_form(request.body)
        name = str(form.pop("Action", ""))
        if name != service.operation:
            raise ApiError(
                "InvalidAction", f"seslocal does not implement {name[:64]} of {service.name.upper()}."
            )
        model = _model(service)
        operation = model.operations[name]
        params = model.read(operation, form)
        result = _identity(account, who) if service is STS else _simulated(account, params, who)
        request_id = account.ids.uuid()
        body = model.write(operation, result, request_id)
        return Response(200, body, _KIND, (("x-amzn-RequestId", request_id),))
    except ApiError as error:
        return error_response(account, request, error)


def error_response(account: Account, request: Request, error: ApiError) -> Response:
    error = signature.as_query(error)
    request_id = error.request_id or account.ids.uuid()
    body = _model(service_of(request) or STS).refuse(error, request_id)
    return Response(error.status, body, _KIND, (("x-amzn-RequestId", request_id),))


def _identity(account: Account, who: Caller) -> Params:
    """A role calls as a session of it, named after the key. No policy can deny this call (STS API Reference)."""
    arn = authorization.principal(account, account.access.policies.get(who.access_key), who)
    kind, _, name = arn.split(":", 5)[5].partition("/")
    digest = b32encode(hashlib.sha256(arn.encode()).digest()).decode()[:16]
    if kind != "role":
        return {"Account": account.id, "UserId": f"AIDA{digest}", "Arn": arn}
    session = f"arn:aws:sts::{account.id}:assumed-role/{name.rpartition('/')[2]}/{who.access_key}"
    return {"Account": account.id, "UserId": f"AROA{digest}:{who.access_key}", "Arn": session}


def _simulated(account: Account, params: Params, who: Caller) -> Params:
    source: str = params["PolicySourceArn"]
    authorization.iam(account, IAM.operation, source, who)
    for name in _REFUSED:
        if params.get(name):
            raise ApiError("NotImplemented", messages.simulation_without(name), 501)
    policies = [*_policies(account, source), *_given(params.get("PolicyInputList", ()))]
    everybody = not policies
    context = _context(account, source, params.get("ContextEntries", ()))
    results = [
        _result(policies, action, resource, context, everybody=everybody)
        for action in params["ActionNames"]
        for resource in params.get("ResourceArns") or [documents.ANY]
    ]
    return {"EvaluationResults": results, "IsTruncated": False}


def _policies(account: Account, source: str) -> Sequence[Policy]:
    """Of the key whose principal this is. Raises ApiError if no key has it. A key without policies may do everything."""
    for key in account.access.keys.by_id.values():
        attached = account.access.policies.get(key.id)
        who = Caller(key.id, account.region, "", "", key.user)
        if authorization.principal(account, attached, who) == source:
            return attached.policies if isinstance(attached, Attached) else ()
    raise ApiError("NoSuchEntity", f"The principal with ARN {source[:2048]} cannot be found.", 404)


def _given(texts: Sequence[str]) -> Iterator[Policy]:
    """Raises ApiError for a document that is not evaluated here."""
    for number, text in enumerate(texts, 1):
        try:
            source: Any = json.loads(text)
            document = documents.read(source)
        except (ValueError, RecursionError):
            raise ApiError("InvalidInput", messages.policy_not_an_object()) from None
        except Unknown as unknown:
            raise ApiError("InvalidInput", str(unknown)) from None
        yield Policy(name=f"PolicyInputList.{number}", kind="identity", source=source, document=document)


def _context(account: Account, source: str, entries: Sequence[Params]) -> Context:
    """Keys that no policy here can ask for are left out: they cannot change the outcome."""
    given: dict[str, Sequence[str]] = {
        "aws:PrincipalArn": (source,),
        "aws:RequestedRegion": (account.region,),
        "aws:SecureTransport": ("true",),
    }
    for entry in entries:
        known = KEYS.get(str(entry.get("ContextKeyName", "")).lower())
        if known is not None and entry.get("ContextKeyValues"):
            given[known[0]] = tuple(entry["ContextKeyValues"])
    return given


def _result(
    policies: Sequence[Policy], action: str, resource: str, context: Context, *, everybody: bool
) -> Params:
    denial = None if everybody else decide(policies, action, [resource], context)
    decision = "allowed" if denial is None else "explicitDeny" if denial.explicit else "implicitDeny"
    matching = [
        one.name
        for one in policies
        if any(statement.covers(action.lower(), resource, context) for statement in one.document)
    ]
    asked = {
        test.key for one in policies for statement in one.document for test in statement.tests
    } - context.keys()
    found: dict[str, Any] = {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": decision,
        "MatchedStatements": [{"SourcePolicyId": name} for name in matching],
        "MissingContextValues": sorted(asked),
    }
    if any(one.kind == "scp" for one in policies):
        found["OrganizationsDecisionDetail"] = {
            "AllowedByOrganizations": denial is None or denial.kind != "scp"
        }
    return found


@cache
def _model(service: _Service) -> QueryModel:
    model: Mapping[str, Any] = Loader().load_service_model(service.name, "service-2")
    operations = {service.operation: model["operations"][service.operation]}
    return QueryModel({**model, "operations": operations})
