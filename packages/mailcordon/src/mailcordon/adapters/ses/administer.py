"""SES's management calls through boto3, in worker threads. Each waits for its turn in the budget (control/call_budget.py).

Unlike sends these calls may be repeated: here, not by botocore, so that a repeat waits for a turn too. Creating what exists and
deleting what does not exist succeed; the caller reads back what it set. This client cannot send mail.
"""

import asyncio
import copy
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Self, cast

from botocore.exceptions import BotoCoreError, ClientError

from mailcordon.adapters.ses import boto_calls
from mailcordon.control.administration import SesAccount, SesError, Whole
from mailcordon.control.call_budget import CallBudget, QueueFull, Rates
from mailcordon.control.observed import group
from mailcordon.control.work import Work
from mailcordon.messages import settings

_PAGE = 100
_LONG_PAGE = 1000  #: of a suppression list
_MAX_PAGES = 10_000  #: a million items: more than an account may have of anything
_ATTEMPTS = 4
_ANSWER_SECONDS = 20
_PAUSE = 0.1  #: seconds before a call is repeated; doubles
_MISSING = "NotFoundException"
#: Operation of each group of a set's options, and the member that the group is wrapped in.
_SET_GROUPS = {
    "suppression": ("put_configuration_set_suppression_options", None),
    "delivery": ("put_configuration_set_delivery_options", None),
    "sending": ("put_configuration_set_sending_options", None),
    "tracking": ("put_configuration_set_tracking_options", None),
    "vdm": ("put_configuration_set_vdm_options", "VdmOptions"),
    "reputation": ("put_configuration_set_reputation_options", None),
}


class Administer:
    """`budget` None: calls do not wait, for the local SES. `profile` names the AWS profile to sign with, instead of keys.

    Raises Unavailable if there is no such profile.
    """

    def __init__(
        self,
        *,
        region: str,
        endpoint: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        profile: str | None = None,
        budget: CallBudget | None = None,
    ) -> None:
        session = boto_calls.session(
            region=region, access_key=access_key, secret_key=secret_key, profile=profile
        )
        config = boto_calls.configuration(_ANSWER_SECONDS)
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

    async def get_configuration_set(self, name: str) -> Whole | None:
        return await self._read("get_configuration_set", ConfigurationSetName=name)

    async def create_configuration_set(
        self,
        name: str,
        *,
        reasons: Sequence[str] | None,
        max_delivery_seconds: int | None,
        sending_pool: str | None = None,
    ) -> bool:
        more: dict[str, Any] = {}
        if reasons is not None:
            more["SuppressionOptions"] = {"SuppressedReasons": list(reasons)}
        delivery = {"MaxDeliverySeconds": max_delivery_seconds, "SendingPoolName": sending_pool}
        if given := {member: value for member, value in delivery.items() if value is not None}:
            more["DeliveryOptions"] = given
        created = await self._create("create_configuration_set", ConfigurationSetName=name, **more)
        return created is not None

    async def put_set_group(self, name: str, group: str, members: Whole) -> None:
        operation, wrapped_in = _SET_GROUPS[group]
        given = {wrapped_in: dict(members)} if wrapped_in else dict(members)
        await self._call(operation, ConfigurationSetName=name, **given)

    async def delete_configuration_set(self, name: str) -> None:
        await self._read("delete_configuration_set", ConfigurationSetName=name)

    async def configuration_sets(self) -> list[str]:
        return await self._pages("list_configuration_sets", "ConfigurationSets")

    async def get_ip_pool(self, name: str) -> Whole | None:
        found = await self._read("get_dedicated_ip_pool", PoolName=name)
        if found is None:
            return None
        listed = await self._pages("get_dedicated_ips", "DedicatedIps", PoolName=name)
        ips = [{member: ip[member] for member in ip if member != "PoolName"} for ip in listed]
        return {**group(found, "DedicatedIpPool"), "Ips": ips}

    async def delete_ip_pool(self, name: str) -> None:
        await self._read("delete_dedicated_ip_pool", PoolName=name)

    async def create_ip_pool(self, name: str, *, mode: str) -> bool:
        created = await self._create("create_dedicated_ip_pool", PoolName=name, ScalingMode=mode)
        return created is not None

    async def get_destinations(self, set_name: str) -> list[Whole] | None:
        found = await self._read("get_configuration_set_event_destinations", ConfigurationSetName=set_name)
        return None if found is None else _items(found, "EventDestinations")

    async def create_destination(self, set_name: str, name: str, members: Whole) -> bool:
        created = await self._create(
            "create_configuration_set_event_destination",
            ConfigurationSetName=set_name,
            EventDestinationName=name,
            EventDestination=dict(members),
        )
        return created is not None

    async def put_destination(self, set_name: str, name: str, members: Whole) -> None:
        await self._call(
            "update_configuration_set_event_destination",
            ConfigurationSetName=set_name,
            EventDestinationName=name,
            EventDestination=dict(members),
        )

    async def delete_destination(self, set_name: str, name: str) -> None:
        await self._read(
            "delete_configuration_set_event_destination",
            ConfigurationSetName=set_name,
            EventDestinationName=name,
        )

    # Identities ---------------------------------------------------------------------------------------------------------

    async def get_identity(self, name: str) -> Whole | None:
        return await self._read("get_email_identity", EmailIdentity=name)

    async def create_identity(self, domain: str, *, configuration_set: str) -> Whole | None:
        return await self._create(
            "create_email_identity", EmailIdentity=domain, ConfigurationSetName=configuration_set
        )

    async def put_identity_set(self, domain: str, configuration_set: str) -> None:
        await self._call(
            "put_email_identity_configuration_set_attributes",
            EmailIdentity=domain,
            ConfigurationSetName=configuration_set,
        )

    async def put_dkim(self, domain: str, *, signing: bool) -> None:
        await self._call("put_email_identity_dkim_attributes", EmailIdentity=domain, SigningEnabled=signing)

    async def put_dkim_key(self, domain: str, *, selector: str, private_key: str) -> None:
        attributes = {"DomainSigningSelector": selector, "DomainSigningPrivateKey": private_key}
        await self._call(
            "put_email_identity_dkim_signing_attributes",
            EmailIdentity=domain,
            SigningAttributesOrigin="EXTERNAL",
            SigningAttributes=attributes,
        )

    async def put_easy_dkim(self, domain: str) -> None:
        await self._call(
            "put_email_identity_dkim_signing_attributes",
            EmailIdentity=domain,
            SigningAttributesOrigin="AWS_SES",
        )

    async def put_mail_from(self, domain: str, mail_from: str | None, *, behavior: str) -> None:
        more = {} if mail_from is None else {"MailFromDomain": mail_from}
        await self._call(
            "put_email_identity_mail_from_attributes",
            EmailIdentity=domain,
            BehaviorOnMxFailure=behavior,
            **more,
        )

    async def put_feedback(self, domain: str, *, forwarding: bool) -> None:
        await self._call(
            "put_email_identity_feedback_attributes", EmailIdentity=domain, EmailForwardingEnabled=forwarding
        )

    async def delete_identity(self, domain: str) -> None:
        await self._read("delete_email_identity", EmailIdentity=domain)

    async def identities(self) -> list[Whole]:
        return await self._pages("list_email_identities", "EmailIdentities")

    # Tenants ------------------------------------------------------------------------------------------------------------

    async def get_tenant(self, name: str) -> Whole | None:
        found = await self._read("get_tenant", TenantName=name)
        return None if found is None else found["Tenant"]

    async def create_tenant(self, name: str, *, scope: str, reasons: Sequence[str]) -> Whole | None:
        attributes = {"SuppressionScope": scope, "SuppressedReasons": list(reasons)}
        return await self._create("create_tenant", TenantName=name, SuppressionAttributes=attributes)

    async def put_tenant_suppression(self, name: str, *, scope: str, reasons: Sequence[str]) -> None:
        await self._call(
            "put_tenant_suppression_attributes",
            TenantName=name,
            SuppressionScope=scope,
            SuppressedReasons=list(reasons),
        )

    async def delete_tenant(self, name: str) -> None:
        await self._read("delete_tenant", TenantName=name)

    async def tenants(self) -> list[Whole]:
        return await self._pages("list_tenants", "Tenants")

    async def tenants_with_status(self, status: str) -> dict[str, str]:
        found = await self._pages("list_tenants", "Tenants", Filter={"SENDING_STATUS": status})
        return {each["TenantName"]: each["TenantArn"] for each in found}

    async def get_entity(self, tenant_arn: str) -> Whole | None:
        found = await self._read(
            "get_reputation_entity",
            ReputationEntityType="RESOURCE",
            ReputationEntityReference=tenant_arn,
        )
        return None if found is None else group(found, "ReputationEntity")

    async def entities(self) -> list[Whole]:
        return await self._pages("list_reputation_entities", "ReputationEntities")

    async def open_recommendations(self, type: str) -> list[Whole]:
        # One filter, or STATUS with TYPE or IMPACT (ses.md 1.1).
        wanted = {"STATUS": "OPEN", "TYPE": type}
        return await self._pages("list_recommendations", "Recommendations", Filter=wanted)

    async def put_policy(self, tenant_arn: str, policy: str) -> None:
        _, partition, _, region, *_ = tenant_arn.split(":")
        await self._call(
            "update_reputation_entity_policy",
            ReputationEntityType="RESOURCE",
            ReputationEntityReference=tenant_arn,
            # The policies are AWS's: their account is literally `aws` (ses.md 1.7).
            ReputationEntityPolicy=f"arn:{partition}:ses:{region}:aws:reputation-policy/{policy}",
        )

    async def put_status(self, tenant_arn: str, status: str) -> None:
        await self._call(
            "update_reputation_entity_customer_managed_status",
            ReputationEntityType="RESOURCE",
            ReputationEntityReference=tenant_arn,
            SendingStatus=status,
        )

    async def status_cause(self, tenant_arn: str) -> str | None:
        found = await self.get_entity(tenant_arn)
        for record in ("AwsSesManagedStatus", "CustomerManagedStatus"):
            status = group(found, record)
            if status.get("Status") == "DISABLED":
                return status.get("Cause")
        return None

    async def get_associations(self, tenant: str) -> list[str] | None:
        try:
            found = await self._pages("list_tenant_resources", "TenantResources", TenantName=tenant)
        except SesError as error:
            if error.code == _MISSING:
                return None
            raise
        return [each["ResourceArn"] for each in found]

    async def tenants_of(self, arn: str) -> list[Whole]:
        try:
            return await self._pages("list_resource_tenants", "ResourceTenants", ResourceArn=arn)
        except SesError as error:
            if error.code == _MISSING:
                return []
            raise

    async def associate(self, tenant: str, arn: str) -> None:
        await self._create("create_tenant_resource_association", TenantName=tenant, ResourceArn=arn)

    async def disassociate(self, tenant: str, arn: str) -> None:
        await self._read("delete_tenant_resource_association", TenantName=tenant, ResourceArn=arn)

    # Account, suppression lists, tags -----------------------------------------------------------------------------------

    async def get_suppressed(self, address: str, *, tenant: str | None) -> Whole | None:
        of: dict[str, str] = {} if tenant is None else {"TenantName": tenant}
        found = await self._read("get_suppressed_destination", EmailAddress=address, **of)
        return None if found is None else group(found, "SuppressedDestination")

    async def suppressed_page(
        self, *, tenant: str | None, token: str | None, since: datetime | None = None
    ) -> tuple[Sequence[Whole], str | None]:
        more: dict[str, Any] = {} if tenant is None else {"TenantName": tenant}
        if token is not None:
            more["NextToken"] = token
        if since is not None:
            more["StartDate"] = since
        page = await self._read("list_suppressed_destinations", PageSize=_LONG_PAGE, **more)
        return _items(page, "SuppressedDestinationSummaries"), (page or {}).get("NextToken")

    async def put_suppressed(self, address: str, *, reason: str, tenant: str) -> None:
        await self._call("put_suppressed_destination", EmailAddress=address, Reason=reason, TenantName=tenant)

    async def delete_suppressed(self, address: str, *, tenant: str | None) -> None:
        of: dict[str, str] = {} if tenant is None else {"TenantName": tenant}
        await self._read("delete_suppressed_destination", EmailAddress=address, **of)

    async def get_account(self) -> SesAccount:
        found = await self.get_whole_account()
        quota = group(found, "SendQuota")
        return SesAccount(
            max_send_rate=float(quota.get("MaxSendRate") or 0),
            max_24h=float(quota.get("Max24HourSend") or 0),
            sent_24h=float(quota.get("SentLast24Hours") or 0),
            sending_enabled=bool(found.get("SendingEnabled")),
            enforcement=found.get("EnforcementStatus") or "HEALTHY",
        )

    async def get_whole_account(self) -> Whole:
        return await self._call("get_account")

    async def put_account_suppression(self, members: Whole) -> None:
        await self._call("put_account_suppression_attributes", **members)

    async def put_account_vdm(self, members: Whole) -> None:
        await self._call("put_account_vdm_attributes", VdmAttributes=dict(members))

    async def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        await self._call("tag_resource", ResourceArn=arn, Tags=listed)

    async def untag(self, arn: str, keys: Sequence[str]) -> None:
        await self._call("untag_resource", ResourceArn=arn, TagKeys=list(keys))

    async def _pages(self, operation: str, member: str, **members: Any) -> list[Any]:
        """Every item of a list. Raises SesError."""
        found: list[Any] = []
        more: dict[str, Any] = {}
        for _ in range(_MAX_PAGES):
            page = await self._call(operation, PageSize=_PAGE, **members, **more)
            found += _items(page, member)
            if not page.get("NextToken"):
                break
            more = {"NextToken": page["NextToken"]}
        return found

    async def _read(self, operation: str, **members: Any) -> dict[str, Any] | None:
        """Returns None if the resource does not exist."""
        try:
            return await self._call(operation, **members)
        except SesError as error:
            if error.code == _MISSING:
                return None
            raise

    async def _create(self, operation: str, **members: Any) -> dict[str, Any] | None:
        """Returns None if the resource exists: an earlier process may have died right after the call."""
        try:
            return await self._call(operation, **members)
        except SesError as error:
            if error.code == "AlreadyExistsException":
                return None
            raise

    async def _call(self, operation: str, **members: Any) -> dict[str, Any]:
        method = cast("Callable[..., dict[str, Any]]", getattr(self._client, operation))
        name: str = self._client.meta.method_to_api_mapping[operation]
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await self.budget.turn(self._work, self._tenant, name)
            except QueueFull:
                raise SesError("QueueFull", settings.ses_calls_waiting()) from None
            try:
                return boto_calls.as_json(await asyncio.to_thread(partial(method, **members)))
            except (ClientError, BotoCoreError) as error:
                failed = boto_calls.failure(error)
                if failed.refused_for_rate:
                    self.budget.refused()
                if attempt == _ATTEMPTS or not failed.may_be_repeated:
                    raise failed.error from None
            await asyncio.sleep(_PAUSE * 2**attempt * random.uniform(0.5, 1))
        raise AssertionError


def _items(of: Mapping[str, Any] | None, member: str) -> list[Any]:
    """A list, empty if SES left it out."""
    return (of or {}).get(member) or []
