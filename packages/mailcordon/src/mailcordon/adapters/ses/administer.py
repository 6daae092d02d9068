"""SES's management calls through boto3, in worker threads. Each waits for its turn in the budget (control/call_budget.py).

Unlike sends these calls may be repeated: here, not by botocore, so that a repeat waits for a turn too. Creating what exists and
deleting what does not exist succeed; the caller reads back what it set. This client cannot send mail.
"""

import asyncio
import copy
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Self, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

from mailcordon.control import hints
from mailcordon.control.administration import (
    SesAccount,
    SesDestination,
    SesError,
    SesIdentity,
    SesSet,
    SesTenant,
)
from mailcordon.control.call_budget import CallBudget, QueueFull, Rates
from mailcordon.control.work import Work
from mailcordon.messages import system

_PAGE = 100
_MAX_PAGES = 1000
_ATTEMPTS = 4
_PAUSE = 0.1  #: seconds before a call is repeated; doubles
_REFUSED_FOR_RATE = frozenset({"TooManyRequestsException", "Throttling", "ThrottlingException"})
_REPEATED_STATUS = frozenset({500, 502, 503, 504})
_REPEATED_ERRORS = (ConnectionError, HTTPClientError)


class Administer:
    """`budget` None: calls do not wait, for the local SES."""

    def __init__(
        self,
        *,
        region: str,
        endpoint: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        budget: CallBudget | None = None,
    ) -> None:
        session = boto3.session.Session(
            aws_access_key_id=access_key, aws_secret_access_key=secret_key, region_name=region
        )
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=20,
            user_agent_extra=hints.OUR_AGENT,
        )
        self._client: Any = session.client("sesv2", endpoint_url=endpoint, config=config)  # pyright: ignore[reportUnknownMemberType]
        self.budget = budget or CallBudget(Rates(per_second=None))
        self._work, self._tenant = Work.REPAIR, cast("int | None", None)

    def doing(self, work: Work, tenant: int | None) -> Self:
        """This client, with calls that use the share of that work and wait in the turn of that tenant."""
        view = copy.copy(self)
        view._work, view._tenant = work, tenant
        return view

    def close(self) -> None:
        self._client.close()

    # Configuration sets -------------------------------------------------------------------------------------------------

    async def get_configuration_set(self, name: str) -> SesSet | None:
        found = await self._read("get_configuration_set", ConfigurationSetName=name)
        if found is None:
            return None
        return SesSet(
            name=name,
            suppression=_group(found, "SuppressionOptions"),
            delivery=_group(found, "DeliveryOptions"),
        )

    async def create_configuration_set(
        self, name: str, *, reasons: Sequence[str] | None, max_delivery_seconds: int | None
    ) -> None:
        more: dict[str, Any] = {}
        if reasons is not None:
            more["SuppressionOptions"] = {"SuppressedReasons": list(reasons)}
        if max_delivery_seconds is not None:
            more["DeliveryOptions"] = {"MaxDeliverySeconds": max_delivery_seconds}
        await self._create("create_configuration_set", ConfigurationSetName=name, **more)

    async def put_suppression(self, name: str, group: Mapping[str, Any]) -> None:
        await self._call("put_configuration_set_suppression_options", ConfigurationSetName=name, **group)

    async def put_delivery(self, name: str, group: Mapping[str, Any]) -> None:
        await self._call("put_configuration_set_delivery_options", ConfigurationSetName=name, **group)

    async def get_destinations(self, set_name: str) -> list[SesDestination]:
        found = await self._read("get_configuration_set_event_destinations", ConfigurationSetName=set_name)
        return [
            SesDestination(
                name=each["Name"],
                events=tuple(_items(each, "MatchingEventTypes")),
                topic=_group(each, "SnsDestination").get("TopicArn"),
                enabled=bool(each.get("Enabled")),
            )
            for each in _items(found, "EventDestinations")
        ]

    async def put_destination(self, set_name: str, destination: SesDestination, *, create: bool) -> None:
        what = {
            "ConfigurationSetName": set_name,
            "EventDestinationName": destination.name,
            "EventDestination": {
                "Enabled": destination.enabled,
                "MatchingEventTypes": list(destination.events),
                "SnsDestination": {"TopicArn": destination.topic},
            },
        }
        if create:
            await self._create("create_configuration_set_event_destination", **what)
        else:
            await self._call("update_configuration_set_event_destination", **what)

    # Identities ---------------------------------------------------------------------------------------------------------

    async def get_identity(self, domain: str) -> SesIdentity | None:
        found = await self._read("get_email_identity", EmailIdentity=domain)
        if found is None:
            return None
        dkim = _group(found, "DkimAttributes")
        return SesIdentity(
            domain=domain,
            verified=bool(found.get("VerifiedForSendingStatus")),
            status=found.get("VerificationStatus") or dkim.get("Status") or "PENDING",
            configuration_set=found.get("ConfigurationSetName"),
            dkim_tokens=tuple(_items(dkim, "Tokens")),
            dkim_zone=dkim.get("SigningHostedZone"),
        )

    async def create_identity(self, domain: str, *, configuration_set: str) -> None:
        await self._create(
            "create_email_identity", EmailIdentity=domain, ConfigurationSetName=configuration_set
        )

    async def put_identity_set(self, domain: str, configuration_set: str) -> None:
        await self._call(
            "put_email_identity_configuration_set_attributes",
            EmailIdentity=domain,
            ConfigurationSetName=configuration_set,
        )

    # Tenants ------------------------------------------------------------------------------------------------------------

    async def get_tenant(self, name: str) -> SesTenant | None:
        found = await self._read("get_tenant", TenantName=name)
        if found is None:
            return None
        tenant = found["Tenant"]
        suppression = _group(tenant, "SuppressionAttributes")
        reasons = suppression.get("SuppressedReasons")
        return SesTenant(
            name=name,
            arn=tenant["TenantArn"],
            status=tenant.get("SendingStatus") or "ENABLED",
            suppression_scope=suppression.get("SuppressionScope"),
            suppressed_reasons=tuple(reasons) if reasons is not None else None,
        )

    async def create_tenant(self, name: str, *, scope: str, reasons: Sequence[str]) -> None:
        attributes = {"SuppressionScope": scope, "SuppressedReasons": list(reasons)}
        await self._create("create_tenant", TenantName=name, SuppressionAttributes=attributes)

    async def put_tenant_suppression(self, name: str, *, scope: str, reasons: Sequence[str]) -> None:
        await self._call(
            "put_tenant_suppression_attributes",
            TenantName=name,
            SuppressionScope=scope,
            SuppressedReasons=list(reasons),
        )

    async def get_policy(self, tenant_arn: str) -> str | None:
        found = await self._entity(tenant_arn)
        policy = _group(found, "ReputationEntity").get("ReputationManagementPolicy")
        return policy.rpartition("/")[2] if policy else None

    async def put_policy(self, tenant_arn: str, policy: str) -> None:
        _, partition, _, region, *_ = tenant_arn.split(":")
        await self._call(
            "update_reputation_entity_policy",
            ReputationEntityType="RESOURCE",
            ReputationEntityReference=tenant_arn,
            # The policies are AWS's: their account is literally `aws` (ses.md 1.7).
            ReputationEntityPolicy=f"arn:{partition}:ses:{region}:aws:reputation-policy/{policy}",
        )

    async def get_associations(self, tenant: str) -> list[str] | None:
        found: list[str] = []
        more: dict[str, Any] = {}
        for _ in range(_MAX_PAGES):
            page = await self._read("list_tenant_resources", TenantName=tenant, PageSize=_PAGE, **more)
            if page is None:
                return None
            found += [each["ResourceArn"] for each in _items(page, "TenantResources")]
            if not page.get("NextToken"):
                break
            more = {"NextToken": page["NextToken"]}
        return found

    async def associate(self, tenant: str, arn: str) -> None:
        await self._create("create_tenant_resource_association", TenantName=tenant, ResourceArn=arn)

    async def tenants_with_status(self, status: str) -> dict[str, str]:
        found: dict[str, str] = {}
        more: dict[str, Any] = {}
        for _ in range(_MAX_PAGES):
            page = await self._call("list_tenants", Filter={"SENDING_STATUS": status}, PageSize=_PAGE, **more)
            found |= {each["TenantName"]: each["TenantArn"] for each in _items(page, "Tenants")}
            if not page.get("NextToken"):
                break
            more = {"NextToken": page["NextToken"]}
        return found

    async def status_cause(self, tenant_arn: str) -> str | None:
        found = _group(await self._entity(tenant_arn), "ReputationEntity")
        for record in ("AwsSesManagedStatus", "CustomerManagedStatus"):
            status = _group(found, record)
            if status.get("Status") == "DISABLED":
                return status.get("Cause")
        return None

    async def _entity(self, tenant_arn: str) -> dict[str, Any] | None:
        return await self._read(
            "get_reputation_entity",
            ReputationEntityType="RESOURCE",
            ReputationEntityReference=tenant_arn,
        )

    # Account and suppression list ---------------------------------------------------------------------------------------

    async def delete_suppressed(self, address: str, *, tenant: str) -> None:
        # SES matches the letter case that it stored, and has been seen to store the domain in lower case (ses.md 2.4).
        local, _, domain = address.rpartition("@")
        for spelling in dict.fromkeys([address, f"{local}@{domain.lower()}", address.lower()]):
            deleted = await self._read(
                "delete_suppressed_destination", EmailAddress=spelling, TenantName=tenant
            )
            if deleted is not None:
                return

    async def get_account(self) -> SesAccount:
        found = await self._call("get_account")
        quota = _group(found, "SendQuota")
        return SesAccount(
            max_send_rate=float(quota.get("MaxSendRate") or 0),
            max_24h=float(quota.get("Max24HourSend") or 0),
            sent_24h=float(quota.get("SentLast24Hours") or 0),
            sending_enabled=bool(found.get("SendingEnabled")),
            enforcement=found.get("EnforcementStatus") or "HEALTHY",
        )

    async def _read(self, operation: str, **members: Any) -> dict[str, Any] | None:
        """Returns None if the resource does not exist."""
        try:
            return await self._call(operation, **members)
        except SesError as error:
            if error.code == "NotFoundException":
                return None
            raise

    async def _create(self, operation: str, **members: Any) -> None:
        """Succeeds if the resource exists: an earlier process may have died right after the call."""
        try:
            await self._call(operation, **members)
        except SesError as error:
            if error.code != "AlreadyExistsException":
                raise

    async def _call(self, operation: str, **members: Any) -> dict[str, Any]:
        method = cast("Callable[..., dict[str, Any]]", getattr(self._client, operation))
        name: str = self._client.meta.method_to_api_mapping[operation]
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await self.budget.turn(self._work, self._tenant, name)
            except QueueFull:
                raise SesError("QueueFull", system.ses_calls_waiting()) from None
            try:
                return await asyncio.to_thread(partial(method, **members))
            except ClientError as error:
                response = cast("dict[str, Any]", error.response)
                problem = _group(response, "Error")
                code = problem.get("Code") or "Unknown"
                refused = code in _REFUSED_FOR_RATE
                if refused:
                    self.budget.refused()
                status = _group(response, "ResponseMetadata").get("HTTPStatusCode")
                if attempt == _ATTEMPTS or not (refused or status in _REPEATED_STATUS):
                    raise SesError(code, problem.get("Message") or str(error)) from None
            except BotoCoreError as error:
                if attempt == _ATTEMPTS or not isinstance(error, _REPEATED_ERRORS):
                    raise SesError(type(error).__name__, str(error)) from None
            await asyncio.sleep(_PAUSE * 2**attempt * random.uniform(0.5, 1))
        raise AssertionError


def _group(of: Mapping[str, Any] | None, member: str) -> dict[str, Any]:
    """A structure, empty if SES left it out."""
    return (of or {}).get(member) or {}


def _items(of: Mapping[str, Any] | None, member: str) -> list[Any]:
    """A list, empty if SES left it out."""
    return (of or {}).get(member) or []
