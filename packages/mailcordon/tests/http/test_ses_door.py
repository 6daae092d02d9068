"""The SES door through real boto3, on a real database: what is taken, what is refused, and in which words.

A server of its own listens, since boto3 speaks to sockets only; it is the connections and the application of the `api` role.
"""

import asyncio
import contextlib
import json
import re
import socket
import time
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import boto3
import httpx
import pytest
import uvicorn
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.accept_store import AcceptStore
from mailcordon.adapters.db.access_key_store import AccessKeyStore
from mailcordon.adapters.db.account_reader import AccountReader
from mailcordon.adapters.db.control_reader import ControlReader
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.message_reader import MessageCanceller, MessageReader
from mailcordon.adapters.db.metrics_reader import PostgresMetricsReader
from mailcordon.adapters.db.secrets import make_secret_key
from mailcordon.adapters.db.suppression_reader import PostgresSuppressionReader
from mailcordon.adapters.db.suppression_store import PostgresSuppressions
from mailcordon.adapters.db.template_store import TemplateLookup, TemplateStore
from mailcordon.adapters.http import message_protocol, server, shared_door
from mailcordon.adapters.http.message_endpoint import MessageEndpoint
from mailcordon.adapters.http.ses_door import v1
from mailcordon.adapters.http.ses_door.endpoint import SesDoor
from mailcordon.adapters.http.ses_door.errors import SesError
from mailcordon.adapters.http.ses_door.services import Services
from mailcordon.adapters.rendering.process import RenderingProcess
from mailcordon.control.access_keys import AccessKeyCache, AccessKeys, SetName
from mailcordon.control.key_cache import KeyCache
from mailcordon.control.keys import Keys
from mailcordon.control.templates import Templates
from mailcordon.core import ids, ses_door_ids
from mailcordon.core.principal import SCOPES, Principal
from mailcordon.door.buckets import Rates
from mailcordon.door.limits import Limits
from mailcordon.send.accept import Accept
from mailcordon.send.templates import Rendering
from mailcordon_fixtures.queue_world import HASH_KEY, World

FROM = "Acme <hello@password-reset.acme.example>"
OPERATOR = Principal(
    key_id=0,
    prefix="operator",
    name="t",
    holder="test",
    tenant_id=None,
    tenant_slug=None,
    scopes=frozenset(SCOPES),
)
MEMORY = 8 * 1024 * 1024  #: for bodies; an address has an eighth, a key half
_models: Any = boto3.Session("test", "test", region_name="eu-west-1")


@dataclass
class Door:
    world: World
    url: str
    keys: Keys
    access_keys: AccessKeys
    made: dict[str, tuple[str, str, str]] = field(default_factory=dict)  #: prefix, id and secret by name
    offset: float = 0.0  #: seconds by which the door's clock is ahead
    clients: dict[tuple[str, ...], Any] = field(default_factory=dict)  #: to make one costs more than a call

    async def key(self, name: str, tenant: str | None, **over: Any) -> str:
        over.setdefault("scopes", ("send", "read"))
        key, text = await self.keys.create(tenant=tenant, name=name, actor="test", **over)
        access, secret = await self.access_keys.create(OPERATOR, key.prefix)
        self.made[name] = (key.prefix, access.id, secret)
        return text

    def client(self, name: str, service: str = "sesv2", **over: Any) -> Any:
        _, id, secret = self.made[name]
        given = {
            "endpoint_url": self.url,
            "aws_access_key_id": id,
            "aws_secret_access_key": secret,
            "config": Config(retries={"total_max_attempts": 1}),
            **over,
        }
        return _models.client(service, **given)

    async def call(self, name: str, operation: str, service: str = "sesv2", **params: Any) -> Any:
        """Calls in a thread: the server is in this loop."""
        known = (*self.made[name], service)
        if known not in self.clients:
            self.clients[known] = self.client(name, service)
        return await asyncio.to_thread(getattr(self.clients[known], operation), **params)

    async def refused(
        self, name: str, operation: str, service: str = "sesv2", **params: Any
    ) -> tuple[Any, ...]:
        """Status, code and sentence of a call that SES would refuse."""
        with pytest.raises(ClientError) as refused:
            await self.call(name, operation, service, **params)
        said: Any = refused.value.response
        return said["ResponseMetadata"]["HTTPStatusCode"], said["Error"]["Code"], said["Error"]["Message"]


def simple(**over: Any) -> dict[str, Any]:
    return {
        "FromEmailAddress": FROM,
        "Destination": {"ToAddresses": ["kim@example.com"]},
        "Content": {
            "Simple": {"Subject": {"Data": "Your new password"}, "Body": {"Text": {"Data": "Here it is."}}}
        },
        "EmailTags": [{"Name": "type", "Value": "password-reset"}],
        **over,
    }


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    """The world of the queue tests, instead of the one in conftest.py."""
    connection = await asyncpg.connect(database.dsn("owner"), server_settings={"search_path": "mailcordon"})
    yield World(database, connection)
    await connection.close()


@pytest.fixture
async def door(world: World) -> AsyncIterator[Door]:
    for slug in ("acme", "zen"):
        await world.lane(slug, "password-reset")
        await world.lane(slug, "newsletter")
    await world.account()
    await world.dispatcher()
    pools = {login: await engine.create_pool(world.database.dsn(login)) for login in ("control", "reader")}
    store, canceller = (
        AcceptStore(world.database.dsn("send")),
        MessageCanceller(world.database.dsn("governor")),
    )
    key_store = KeyStore(pools["control"])
    access_store = AccessKeyStore(pools["control"], [make_secret_key()])
    made = Door(world, "", Keys(key_store), AccessKeys(access_store))
    cache = KeyCache(key_store)
    accept = Accept(store, HASH_KEY, lambda: time.time_ns() // 1_000_000, cache.invalidate, local=True)
    read_as = (pools["control"], pools["reader"])
    rendering = contextlib.AsyncExitStack()
    renderer = await rendering.enter_async_context(RenderingProcess().running())
    endpoint = MessageEndpoint(
        accept=accept,
        keys=cache,
        reader=MessageReader(*read_as),
        canceller=canceller,
        hash_key=HASH_KEY,
        rendering=Rendering(TemplateLookup(pools["control"]), renderer),
    )
    services = Services(
        suppression_reader=PostgresSuppressionReader(*read_as),
        suppressions=PostgresSuppressions(pools["control"]),
        metrics=PostgresMetricsReader(*read_as),
        messages=endpoint.reader,
        account=AccountReader(pools["control"]),
        templates=Templates(TemplateStore(*read_as), renderer),
        tenants=ControlReader(*read_as),
        key_rates=Rates(messages=50),
        hash_key=HASH_KEY,
        region="eu-west-1",
    )
    ses = SesDoor(endpoint, AccessKeyCache(access_store, cache), services, lambda: time.time() + made.offset)

    async def health() -> server.Health:
        return server.Health(ok=True, database="ok", oldest_snapshot_seconds=None)

    app: Any = server.build(endpoint, cache, [], health, "0", ses=ses)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        made.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        http: Any = message_protocol.protocol(endpoint, shared_door.Door(Limits(body_memory=MEMORY)), ses)
        serving = uvicorn.Server(uvicorn.Config(app, http=http, lifespan="off", log_level="warning"))
        serving.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        running = [
            asyncio.create_task(accept.run()),
            asyncio.create_task(serving.serve([listening])),
        ]
        await made.key("acme", "acme")
        await made.key("platform", None, scopes=("send", "read", "operate"))
        yield made
        for client in made.clients.values():
            client.close()
        serving.should_exit = True
        await running[1]
    running[0].cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await rendering.aclose()
    await store.close()
    await canceller.close()
    for pool in pools.values():
        await pool.close()


async def test_an_app_sends_with_unchanged_boto3(door: Door) -> None:
    for _ in range(2):  # the second time, the key is known and the request does without ASGI
        answer = await door.call("acme", "send_email", **simple())
        assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
        message = ses_door_ids.decode(answer["MessageId"])
        row = await door.world.connection.fetchrow("select * from message where id = $1", message)
        assert row is not None
        assert row["from_address"] == '"Acme" <hello@password-reset.acme.example>'
    assert await door.world.count("message") == 2


RAW = (
    b"From: Acme <hello@password-reset.acme.example>\r\nTo: kim@example.com\r\nSubject: Raw\r\n"
    b"X-SES-MESSAGE-TAGS: type=password-reset, order=17\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n\r\nHere it is.\r\n"
)


async def test_api_v1_sends_parts_and_whole_messages_as_api_v2_does(door: Door) -> None:
    told = {
        "Source": FROM,
        "Destination": {"ToAddresses": ["kim@example.com"], "CcAddresses": ["Lee <lee@example.com>"]},
        "Message": {
            "Subject": {"Data": "Käse & <Brot>"},
            "Body": {"Text": {"Data": "+ = %"}, "Html": {"Data": "<p>+"}},
        },
        "Tags": [{"Name": "type", "Value": "password-reset"}],
    }
    ids_of = [(await door.call("acme", "send_email", "ses", **told))["MessageId"]]
    ids_of.append((await door.call("acme", "send_raw_email", "ses", RawMessage={"Data": RAW}))["MessageId"])
    content = {"Raw": {"Data": RAW}}
    ids_of.append((await door.call("acme", "send_email", Content=content))["MessageId"])
    large = RAW + b"all work and no play\r\n" * 40_000  # over 256 KB: read in a thread
    for params in ({"RawMessage": {"Data": large}}, {"Content": {"Raw": {"Data": large}}}):
        operation, service = ("send_raw_email", "ses") if "RawMessage" in params else ("send_email", "sesv2")
        ids_of.append((await door.call("acme", operation, service, **params))["MessageId"])
    messages = [ses_door_ids.decode(one) for one in ids_of]
    kept = await door.world.connection.fetch("select id, recipients, bytes from message order by id")
    assert [row["id"] for row in kept] == messages
    assert [len(row["recipients"]) for row in kept] == [2, 1, 1, 1, 1]
    assert all(row["bytes"] > 800_000 for row in kept[3:])


async def test_the_envelope_of_a_raw_message_is_what_the_call_names(door: Door) -> None:
    await door.call(
        "acme",
        "send_raw_email",
        "ses",
        RawMessage={"Data": RAW},
        Destinations=["lee@example.com", "a@example.com"],
    )
    await door.call(
        "acme", "send_email", Content={"Raw": {"Data": RAW}}, Destination={"BccAddresses": ["b@example.com"]}
    )
    found = await door.world.connection.fetch("select unnest(recipients) as address from message order by id")
    assert [row["address"] for row in found] == ["lee@example.com", "a@example.com", "b@example.com"]


async def test_the_type_is_the_tags_else_the_configuration_sets_else_the_keys(door: Door) -> None:
    untagged = simple(EmailTags=[])
    status, code, sentence = await door.refused("acme", "send_email", **untagged)
    assert (status, code) == (400, "BadRequestException")
    assert "type" in sentence
    assert (
        "does not exist"
        in (await door.refused("acme", "send_email", **untagged, ConfigurationSetName="resets"))[2]
    )
    await door.access_keys.put_set(SetName(name="resets", type="newsletter", tenant=None), actor="test")
    await door.access_keys.put_set(SetName(name="resets", type="password-reset", tenant="acme"), actor="test")
    await door.call("acme", "send_email", **untagged, ConfigurationSetName="resets")
    large = [
        {"Content": {"Raw": {"Data": RAW.replace(b"type=password-reset, ", b"") + b"x\r\n" * 200_000}}}
    ] * 2
    unknown = {"ConfigurationSetName": "large"}
    assert (await door.refused("acme", "send_email", **large[0], **unknown))[1] == "BadRequestException"
    await door.access_keys.put_set(SetName(name="large", type="password-reset", tenant=None), actor="test")
    assert (await door.refused("acme", "send_email", **large[0], **unknown))[1] == "BadRequestException"
    await door.call("acme", "send_email", **large[1], **unknown)
    # The platform's name stands for the other type, whose lane has another domain.
    named = {**untagged, "ConfigurationSetName": "resets", "TenantName": "acme"}
    assert (await door.refused("platform", "send_email", **named))[1] == "MessageRejected"
    await door.key("shop", "acme", default_type="password-reset")
    await door.call("shop", "send_email", **untagged)
    await door.call("shop", "send_email", **untagged, ConfigurationSetName="other")
    assert await door.world.count("message") == 4


async def test_a_platform_key_names_the_tenant_as_ses_does_or_by_a_tag(door: Door) -> None:
    assert "tenant" in (await door.refused("platform", "send_email", **simple()))[2]
    await door.call("platform", "send_email", **simple(TenantName="acme"))
    tags = [{"Name": "type", "Value": "password-reset"}, {"Name": "tenant", "Value": "acme"}]
    await door.call("platform", "send_email", **simple(EmailTags=tags))
    assert (
        "zen" in (await door.refused("platform", "send_email", **simple(EmailTags=tags, TenantName="zen")))[2]
    )
    refused = await door.refused("acme", "send_email", **simple(TenantName="zen"))
    assert refused[:2] == (403, "AccessDeniedException")


async def test_what_every_door_refuses_is_refused_in_ses_words(door: Door) -> None:
    foreign = simple(FromEmailAddress="hello@password-reset.zen.example")
    status, code, sentence = await door.refused("acme", "send_email", **foreign)
    assert (status, code) == (400, "MessageRejected")
    assert "password-reset.zen.example" in sentence
    nobody = simple(Destination={"ToAddresses": ["nobody"]})
    assert (await door.refused("acme", "send_email", **nobody))[:2] == (400, "BadRequestException")
    old = {"Source": FROM, "Destination": {"ToAddresses": ["nobody"]}, "Message": nobody["Content"]["Simple"]}
    tagged = {"Tags": nobody["EmailTags"]}
    assert (await door.refused("acme", "send_email", "ses", **old, **tagged))[:2] == (
        400,
        "InvalidParameterValue",
    )
    await door.key("reader", "acme", scopes=("read",))
    assert (await door.refused("reader", "send_email", **simple()))[:2] == (403, "AccessDeniedException")
    await door.key("news", "acme", types=("newsletter",))
    assert (await door.refused("news", "send_email", **simple()))[:2] == (403, "AccessDeniedException")
    assert (await door.refused("acme", "create_email_identity", EmailIdentity="x.example"))[:2] == (
        404,
        "UnknownOperationException",
    )
    assert (await door.refused("acme", "list_identities", "ses"))[:2] == (400, "InvalidAction")
    for name in ("ListManagementOptions", "ConfigurationOverrides"):
        with contextlib.suppress(KeyError):
            given = {"ContactListName": "x"} if name.startswith("List") else {"Tracking": {}}
            assert name in (await door.refused("acme", "send_email", **simple(**{name: given})))[2]
    assert await door.world.count("message") == 0


async def test_a_signature_counts_only_with_the_secret_of_a_key_that_works_and_for_five_minutes(
    door: Door,
) -> None:
    prefix, id, secret = door.made["acme"]
    await door.call("acme", "send_email", **simple())
    for service, mismatch, unknown in (
        ("sesv2", "InvalidSignatureException", "UnrecognizedClientException"),
        ("ses", "SignatureDoesNotMatch", "InvalidClientTokenId"),
    ):
        operation = "get_account" if service == "sesv2" else "get_send_quota"
        door.made["wrong"] = (prefix, id, "x" + secret[1:])
        assert (await door.refused("wrong", operation, service))[:2] == (403, mismatch)
        door.made["aws"] = (prefix, "AKIAIOSFODNN7EXAMPLE", secret)
        assert (await door.refused("aws", operation, service))[:2] == (403, unknown)
        for offset in (-301, 301):
            door.offset = offset
            refused = await door.refused("acme", operation, service)
            assert refused[:2] == (403, mismatch)
            assert "five minutes" in refused[2]
        door.offset = 0.0
    door.made["wrong"] = (prefix, id, "x" + secret[1:])
    assert (await door.refused("wrong", "send_email", **simple()))[0] == 403
    await door.access_keys.revoke(id, actor="test")
    assert (await door.refused("acme", "send_email", **simple()))[:2] == (403, "UnrecognizedClientException")
    await door.key("again", "acme")
    await door.call("again", "send_email", **simple())
    await door.keys.revoke(door.made["again"][0], actor="test")
    assert (await door.refused("again", "send_email", **simple()))[0] == 403
    assert await door.world.count("message") == 2


async def test_files_and_large_texts_arrive_as_they_were_given(door: Door) -> None:
    files = [
        {"FileName": "a.pdf", "RawContent": b"\x00\xff" * 100, "ContentType": "application/pdf"},
        {
            "FileName": "b.png",
            "RawContent": b"p" * 300_000,
            "ContentDisposition": "INLINE",
            "ContentId": "pic",
        },
    ]
    text = "Zeile äöü\n" * 60_000
    body = {"Text": {"Data": text}, "Html": {"Data": '<img src="cid:pic">'}}
    content = {"Simple": {"Subject": {"Data": "Files"}, "Body": body, "Attachments": files}}
    sent = await door.call("acme", "send_email", **simple(Content=content))
    size = await door.world.connection.fetchval(
        "select bytes from message where id = $1", ses_door_ids.decode(sent["MessageId"])
    )
    assert size > len(text.encode()) + 400_000
    bad = {**content["Simple"], "Attachments": [{"FileName": "a.exe", "RawContent": b"MZ"}]}
    refused = await door.refused("acme", "send_email", **simple(Content={"Simple": bad}))
    assert refused[:2] == (400, "BadRequestException")
    assert "exe" in refused[2]


async def test_the_suppression_list_is_the_tenants_own(door: Door) -> None:
    await door.call("acme", "put_suppressed_destination", EmailAddress="kim@example.com", Reason="COMPLAINT")
    await door.call(
        "platform",
        "put_suppressed_destination",
        EmailAddress="lee@example.com",
        Reason="BOUNCE",
        TenantName="acme",
    )
    found = await door.call("acme", "get_suppressed_destination", EmailAddress="kim@example.com")
    shown = found["SuppressedDestination"]
    assert (shown["EmailAddress"], shown["Reason"]) == ("kim@example.com", "COMPLAINT")
    assert abs(shown["LastUpdateTime"].timestamp() - time.time()) < 60
    page = await door.call("acme", "list_suppressed_destinations", PageSize=1)
    rest = await door.call("acme", "list_suppressed_destinations", NextToken=page["NextToken"])
    listed = [*page["SuppressedDestinationSummaries"], *rest["SuppressedDestinationSummaries"]]
    assert {(one["EmailAddress"], one["Reason"]) for one in listed} == {
        ("kim@example.com", "COMPLAINT"),
        ("lee@example.com", "BOUNCE"),
    }
    bounces = await door.call("acme", "list_suppressed_destinations", Reasons=["BOUNCE"])
    assert [one["EmailAddress"] for one in bounces["SuppressedDestinationSummaries"]] == ["lee@example.com"]
    await door.key("zen", "zen")
    assert (await door.refused("zen", "get_suppressed_destination", EmailAddress="kim@example.com"))[:2] == (
        404,
        "NotFoundException",
    )
    assert (await door.refused("zen", "list_suppressed_destinations", TenantName="acme"))[0] in (403, 404)
    # What loosens takes the scope operate, as at the REST API.
    address = {"EmailAddress": "kim@example.com"}
    assert (await door.refused("acme", "delete_suppressed_destination", **address))[:2] == (
        403,
        "AccessDeniedException",
    )
    await door.call("platform", "delete_suppressed_destination", **address, TenantName="acme")
    absent = {"EmailAddress": "no@example.com", "TenantName": "acme"}
    assert (await door.refused("platform", "delete_suppressed_destination", **absent))[0] == 404
    assert (await door.refused("acme", "list_suppressed_destinations", NextToken="x"))[
        1
    ] == "InvalidNextTokenException"


async def test_quota_and_statistics_are_the_callers_own(door: Door) -> None:
    account = await door.call("acme", "get_account")
    assert account["SendQuota"] == {"Max24HourSend": -1.0, "MaxSendRate": 50.0, "SentLast24Hours": 0.0}
    assert account["SendingEnabled"]
    quota = await door.call("acme", "get_send_quota", "ses")
    assert (quota["Max24HourSend"], quota["MaxSendRate"], quota["SentLast24Hours"]) == (-1.0, 50.0, 0.0)
    assert (await door.call("acme", "get_send_statistics", "ses"))["SendDataPoints"] == []
    assert (await door.call("platform", "get_account"))["SendQuota"]["MaxSendRate"] > 0


async def test_insights_are_found_by_the_id_that_was_answered_and_only_by_the_tenant(door: Door) -> None:
    tags = [*simple()["EmailTags"], {"Name": "order", "Value": "17"}]
    id = (await door.call("acme", "send_email", **simple(EmailTags=tags)))["MessageId"]
    found = await door.call("acme", "get_message_insights", MessageId=id)
    assert (found["MessageId"], found["EmailTags"]) == (id, tags)
    assert [(one["Destination"], one["Events"]) for one in found["Insights"]] == [("kim@example.com", [])]
    await door.key("zen", "zen")
    assert (await door.refused("zen", "get_message_insights", MessageId=id))[:2] == (404, "NotFoundException")
    foreign = "0100019ff189d429-e4511161-032f-4588-82f8-53f2b862e736-000000"
    assert (await door.refused("acme", "get_message_insights", MessageId=foreign))[0] == 404


async def test_templates_are_stored_rendered_and_sent_as_ses_does(door: Door) -> None:
    content = {
        "Subject": "Hi {{name}}",
        "Text": "{{#each items}}- {{this}}\n{{/each}}",
        "Html": "<b>{{name}}</b>",
    }
    await door.call("acme", "create_email_template", TemplateName="welcome", TemplateContent=content)
    again = {"TemplateName": "welcome", "TemplateContent": content}
    assert (await door.refused("acme", "create_email_template", **again))[:2] == (
        400,
        "AlreadyExistsException",
    )
    assert (await door.call("acme", "get_email_template", TemplateName="welcome"))[
        "TemplateContent"
    ] == content
    data = json.dumps({"name": "Kim", "items": ["a", "b"]})
    told = await door.call("acme", "test_render_email_template", TemplateName="welcome", TemplateData=data)
    assert "Subject: Hi Kim" in told["RenderedTemplate"]
    assert "- b" in told["RenderedTemplate"]
    long = {"TemplateName": "welcome", "TemplateData": json.dumps({"name": "ä" * 901, "items": []})}
    assert "900" in (await door.refused("acme", "test_render_email_template", **long))[2]
    template = {"TemplateName": "welcome", "TemplateData": data}
    await door.call("acme", "send_email", **simple(Content={"Template": template}))
    inline = {"TemplateContent": content, "TemplateData": data}
    await door.call("acme", "send_email", **simple(Content={"Template": inline}))
    tags = simple()["EmailTags"]
    old = {"Source": FROM, "Destination": {"ToAddresses": ["kim@example.com"]}, "Tags": tags}
    await door.call("acme", "send_templated_email", "ses", **old, Template="welcome", TemplateData=data)
    assert await door.world.count("message") == 3
    missing = {"TemplateName": "welcome", "TemplateData": "{}"}
    refused = await door.refused("acme", "send_email", **simple(Content={"Template": missing}))
    assert refused[:2] == (400, "BadRequestException")
    assert "name" in refused[2]
    v1 = await door.refused(
        "acme", "send_templated_email", "ses", **old, Template="welcome", TemplateData="{}"
    )
    assert v1[:2] == (400, "MissingRenderingAttribute")
    absent = {"TemplateName": "gone", "TemplateData": "{}"}
    assert (await door.refused("acme", "send_email", **simple(Content={"Template": absent})))[:2] == (
        404,
        "NotFoundException",
    )
    v1 = await door.refused("acme", "send_templated_email", "ses", **old, Template="gone", TemplateData="{}")
    assert v1[:2] == (400, "TemplateDoesNotExist")
    await door.call(
        "acme", "update_email_template", TemplateName="welcome", TemplateContent={**content, "Subject": "New"}
    )
    listed = await door.call("acme", "list_email_templates")
    assert [one["TemplateName"] for one in listed["TemplatesMetadata"]] == ["welcome"]
    await door.call("acme", "delete_email_template", TemplateName="welcome")
    assert (await door.refused("acme", "get_email_template", TemplateName="welcome"))[:2] == (
        404,
        "NotFoundException",
    )


async def test_each_entry_of_a_bulk_call_is_a_message_with_an_answer_of_its_own(door: Door) -> None:
    content = {"Subject": "Hi {{name}}", "Text": "{{greeting}}"}
    default = {"TemplateContent": content, "TemplateData": json.dumps({"name": "you", "greeting": "Hello"})}

    def entry(address: str, **data: str) -> dict[str, Any]:
        own = {"ReplacementTemplate": {"ReplacementTemplateData": json.dumps(data)}} if data else {}
        return {"Destination": {"ToAddresses": [address]}, "ReplacementEmailContent": own}

    call = {
        "FromEmailAddress": FROM,
        "DefaultContent": {"Template": default},
        "DefaultEmailTags": simple()["EmailTags"],
    }
    entries = [
        entry("kim@example.com"),
        entry("lee@example.com", name="Lee", greeting="Hey"),
        entry("nobody"),
        entry("ann@example.com", name="Ann"),
    ]
    answer = await door.call("acme", "send_bulk_email", **call, BulkEmailEntries=entries)
    results = answer["BulkEmailEntryResults"]
    assert [one["Status"] for one in results] == [
        "SUCCESS",
        "SUCCESS",
        "INVALID_PARAMETER",
        "INVALID_PARAMETER",
    ]
    assert "greeting" in results[3]["Error"]
    ids_of = [ses_door_ids.decode(one["MessageId"]) for one in results[:2]]
    assert ids_of == [
        row["id"] for row in await door.world.connection.fetch("select id from message order by id")
    ]
    # Data and files of any size, and each message has the files.
    call["DefaultContent"] = {
        "Template": {**default, "Attachments": [{"FileName": "a.pdf", "RawContent": b"p" * 200_000}]}
    }
    large = [entries[0], entry("lee@example.com", name="Lee", greeting="x" * 100_000)]
    answer = await door.call("acme", "send_bulk_email", **call, BulkEmailEntries=large)
    sizes = [
        await door.world.connection.fetchval(
            "select bytes from message where id = $1", ses_door_ids.decode(one["MessageId"])
        )
        for one in answer["BulkEmailEntryResults"]
    ]
    assert sizes[0] > 200_000
    assert sizes[1] > 300_000
    untyped = {**call, "DefaultEmailTags": []}
    assert (await door.refused("acme", "send_bulk_email", **untyped, BulkEmailEntries=entries))[
        1
    ] == "BadRequestException"


async def test_an_aws_signature_opens_no_other_door(door: Door) -> None:
    body = json.dumps(
        {"type": "password-reset", "from": FROM, "to": "kim@example.com", "subject": "x", "text": "x"}
    )
    await door.call("acme", "send_email", **simple())  # the access key is in memory
    with contextlib.closing(door.client("acme")) as client:
        sent: list[Any] = []
        client.meta.events.register("before-send.sesv2.*", lambda request, **_: sent.append(request))
        await asyncio.to_thread(client.get_account)
    headers = {
        "authorization": sent[0].headers["Authorization"].decode(),
        "x-amz-date": sent[0].headers["X-Amz-Date"].decode(),
    }
    async with httpx.AsyncClient(base_url=door.url) as http:
        answer = await http.post("/v1/messages", content=body, headers=headers)
        assert answer.status_code == 401
        token = await door.key("bearer", "acme")
        answer = await http.get("/v2/email/account", headers={"authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (
            403,
            "MissingAuthenticationTokenException",
        )
        assert "mailcordon key create" in answer.json()["message"]
        answer = await http.post("/", content=b"Action=GetSendQuota")
        assert (answer.status_code, answer.headers["content-type"]) == (403, "text/xml")
        assert "<Code>MissingAuthenticationToken</Code>" in answer.text
        assert (await http.get("/")).status_code == 404
    assert await door.world.count("message") == 1


def signed(
    door: Door, method: str, path: str, body: bytes, *, name: str = "acme", **headers: str
) -> dict[str, str]:
    """Headers as botocore signs them for `path`, which may have a query."""
    _, id, secret = door.made[name]
    request = AWSRequest(method, door.url + path, data=body, headers=headers)
    SigV4Auth(Credentials(id, secret), "ses", "eu-west-1").add_auth(request)
    return dict(request.headers.items())


async def test_what_was_signed_is_what_is_read(door: Door) -> None:
    body = json.dumps(simple()).encode()
    large = json.dumps(simple(Content={"Raw": {"Data": "eA==" * 100_000}})).encode()
    query = "/v2/email/suppression/addresses?Reason=BOUNCE&NextToken=&PageSize=10&StartDate=2026-01-01T00%3A00%3A00Z"
    path = "/v2/email/outbound-emails"
    async with httpx.AsyncClient(base_url=door.url) as http:

        async def ask(method: str, path: str, body: bytes, headers: dict[str, str]) -> int:
            return (await http.request(method, path, content=body, headers=headers)).status_code

        headers = signed(
            door, "POST", path, body, **{"x-spaces": "a   b", "content-type": "application/json"}
        )
        assert await ask("POST", path, body, headers) == 200
        assert await ask("POST", path, body, headers) == 200  # a repetition is one more mail, as at SES
        assert await ask("POST", path, body.replace(b"kim@", b"lee@"), headers) == 403
        assert await ask("POST", path, body, {**headers, "x-spaces": "b"}) == 403
        assert await ask("POST", path + "?a=b", body, headers) == 403
        assert await ask("POST", path, body, {**headers, "host": "other.example"}) == 403
        assert await ask("POST", path, large, signed(door, "POST", path, large + b" ")) == 403
        assert await ask("GET", query, b"", signed(door, "GET", query, b"")) == 200
        assert (
            await ask("GET", query.replace("BOUNCE", "COMPLAINT"), b"", signed(door, "GET", query, b""))
            == 403
        )
        address = "/v2/email/suppression/addresses/a%2Bb%40example.com"
        assert await ask("GET", address, b"", signed(door, "GET", address, b"")) == 404
        for spoilt in (
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=0",
            headers["Authorization"].replace("host;", ""),
            headers["Authorization"].replace("/ses/", "/s3/"),
            headers["Authorization"].replace("HMAC-SHA256", "ECDSA-P256-SHA256"),
            headers["Authorization"].replace("Signature=", "Signature=\xe4"),
            headers["Authorization"] + ", Signature=0",
        ):
            sent = {**headers, "Authorization": spoilt}
            raw = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
            answer = await http.post(path, content=body, headers=raw)
            assert (answer.status_code, answer.headers["content-type"]) == (403, "application/json"), spoilt
    assert await door.world.count("message") == 2


async def test_a_message_is_found_by_the_id_that_was_answered(door: Door) -> None:
    id = (await door.call("acme", "send_email", **simple()))["MessageId"]
    assert re.fullmatch(r"[0-9a-f]{16}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-\d{6}", id)
    token = await door.key("reader", "acme")
    async with httpx.AsyncClient(base_url=door.url) as http:
        answer = await http.get(f"/v1/messages/{id}", headers={"authorization": f"Bearer {token}"})
    assert answer.json()["id"] == ids.message_id(ses_door_ids.decode(id))


async def test_hostile_requests_are_refused_in_ses_words(door: Door) -> None:
    async with httpx.AsyncClient(base_url=door.url) as http:
        for path, body in (
            ("/v2/email/outbound-emails", b""),
            ("/v2/email/outbound-emails", b"[]"),
            ("/v2/email/outbound-emails", b'{"Content":' + b"[" * 5000),
            ("/v2/email/outbound-emails", b'{"Content":{"Simple":{"Subject":{"Data":7},"Body":{}}}}'),
            (
                "/v2/email/outbound-emails",
                b'{"Content":{"Raw":{"Data":"!"}},"EmailTags":[{"Name":"type","Value":"x"}]}',
            ),
            ("/v2/email/outbound-emails", b'{"Content":{"Raw":{"Data":"' + b"\\ud800" * 60_000 + b'"}}}'),
            ("/v2/email/outbound-bulk-emails", b'{"DefaultContent":{},"BulkEmailEntries":[]}'),
            ("/v2/email/templates", b'{"TemplateName":"x"}'),
            ("/v2/email/suppression/addresses?a", b"\xff"),
            ("/", b"Action=SendEmail&Action=SendRawEmail"),
            ("/", b"Action=SendRawEmail&RawMessage.Data=%"),
            ("/", b"Action=SendRawEmail&RawMessage.Data=" + b"%41" * 100_000 + b"%"),
            ("/", b"Action=SendEmail&%ff=1&" + b"a=b&" * 3000),
            ("/", b"Version=2010-12-01"),
        ):
            method = "PUT" if "suppression" in path else "POST"
            answer = await http.request(method, path, content=body, headers=signed(door, method, path, body))
            assert 400 <= answer.status_code < 500, (path, body[:80], answer.text)
            expected = "text/xml" if path == "/" else "application/json"
            assert answer.headers["content-type"] == expected
    assert await door.world.count("message") == 0


def test_a_form_takes_memory_of_its_own_size() -> None:
    form = b"Action=SendEmail&Message.Body.Text.Data=" + b"%41" * 300_000
    tracemalloc.start()
    try:
        read, _ = v1.read(form)
        assert tracemalloc.get_traced_memory()[1] < 10 * len(form)
        with pytest.raises(SesError):
            v1.read(b"&" * len(form))
        assert tracemalloc.get_traced_memory()[1] < 10 * len(form)
    finally:
        tracemalloc.stop()
    assert read["Message.Body.Text.Data"] == "A" * 300_000


async def test_a_large_first_mail_is_its_keys_and_not_its_addresses(door: Door) -> None:
    large = RAW + b"all work and no play\r\n" * 90_000
    assert MEMORY // 8 < len(large) < MEMORY // 2
    await door.call("acme", "send_email", Content={"Raw": {"Data": large}})
    await door.call("acme", "send_raw_email", "ses", RawMessage={"Data": large})
    assert await door.world.count("message") == 2
    status, code, _ = await door.refused("acme", "send_email", Content={"Raw": {"Data": large * 2}})
    assert (status, code) == (503, "ServiceUnavailableException")


async def test_what_the_door_does_not_admit_is_said_in_ses_words(door: Door) -> None:
    await door.call("acme", "send_email", **simple())
    port = int(door.url.rpartition(":")[2])
    for path, expected in (
        ("/v2/email/outbound-emails", b"x-amzn-errortype: BadRequestException"),
        ("/", b"<Code>InvalidParameterValue</Code>"),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        headers = {**signed(door, "POST", path, b"x"), "Host": "h", "Content-Length": str(57 << 20)}
        writer.write(f"POST {path} HTTP/1.1\r\n".encode())
        writer.write("".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode() + b"\r\n")
        answer = await reader.readuntil(b"\r\n\r\n")
        answer += await reader.readexactly(int(answer.partition(b"content-length: ")[2].partition(b"\r")[0]))
        assert answer.startswith(b"HTTP/1.1 413 "), answer
        assert expected in answer
        writer.close()
