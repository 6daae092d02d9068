"""What a page in the developer's browser can do to a seslocal that runs beside it, and what other machines can: attacks as a
browser sends them, over real HTTP."""

from __future__ import annotations

import http.client
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import boto3
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest

import seslocal
from seslocal.admin.api import PREFIX
from seslocal.admission import Admission
from seslocal.events.documents import CERTIFICATE_PATH
from seslocal.wire.model import ses_routes
from seslocal.wire.protocol import Request
from seslocal_fixtures import signing
from seslocal_fixtures.contacts import TOPICS

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

EVIL = "https://evil.example"
#: what browsers add to a request of a page at evil.example: a current one, and an old one
FOREIGN = [
    {"Origin": EVIL, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty"},
    {"Origin": EVIL},
    {"Origin": "null"},  # a sandboxed frame, a file
    {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"},  # another developer's server
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
]
#: the types that a page may send without a preflight
SIMPLE = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
OPENED = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
FAULT = json.dumps({"steps": [{"at": 0, "fault": "throttle"}]}).encode()


def by_browser(
    world: World, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> tuple[int, str]:
    status, answer = world.bare(method, path, body, headers)
    return status, answer.decode()


@pytest.fixture
def mailed(world: World) -> Iterator[World]:
    """Has one mail, which an attack must neither read nor delete, and must end without a fault or a scenario."""
    world.ready()
    world.send("kim@example.com", text="the secret code is 4711")
    yield world
    assert [line["recipients"] for line in world.sent()] == [["kim@example.com"]]
    assert world.admin("GET", "/faults")["faults"] == []
    assert world.admin("GET", "/scenario")["steps"] == []


class TestAPageOfAnotherOrigin:
    @pytest.mark.parametrize("headers", FOREIGN, ids=range(len(FOREIGN)))
    def test_cannot_start_a_scenario_or_reset(self, mailed: World, headers: dict[str, str]) -> None:
        for kind in (*SIMPLE, None):
            typed = {**headers, "Content-Type": kind} if kind else headers
            assert by_browser(mailed, "POST", "/_seslocal/scenario", FAULT, typed)[0] == 403, kind
            assert by_browser(mailed, "POST", "/_seslocal/reset", b"{}", typed)[0] == 403, kind
            assert by_browser(mailed, "POST", "/_seslocal/reset", None, headers)[0] == 403, kind

    @pytest.mark.parametrize("headers", FOREIGN, ids=range(len(FOREIGN)))
    def test_gets_one_answer_on_the_whole_port(self, mailed: World, headers: dict[str, str]) -> None:
        ways = [
            ("POST", "/_seslocal/faults"), ("DELETE", "/_seslocal/faults"), ("PUT", "/_seslocal/clock"),
            ("PUT", "/_seslocal/world"), ("POST", "/_seslocal/world/counterfactual"), ("GET", "/_seslocal/world/mails"),
            ("PUT", "/_seslocal/account"), ("PUT", "/_seslocal/keys/evil"), ("GET", "/_seslocal/sent"),
            ("GET", "/_seslocal/home"), ("POST", "/clear"), ("GET", "/"), ("GET", "/assets/page.js"),
            ("OPTIONS", "/_seslocal/faults"),
        ]  # fmt: skip
        for method, path in ways:
            status, said = by_browser(mailed, method, path, None, headers)
            assert status == 403, (method, path)
            assert "another origin" in said, (method, path)
            assert "4711" not in said, (method, path)

    def test_gets_no_permission_to_read_or_to_send_json(self, mailed: World) -> None:
        connection = http.client.HTTPConnection(mailed.local.host, mailed.local.port, timeout=60)
        for method, path in (
            ("OPTIONS", "/_seslocal/scenario"),
            ("OPTIONS", "/v2/email/identities"),
            ("GET", "/"),
        ):
            connection.request(method, path, headers={**FOREIGN[0], "Access-Control-Request-Method": "POST"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 403
            assert not [name for name, _ in answer.getheaders() if name.lower().startswith("access-control")]
        connection.close()

    @pytest.mark.parametrize("headers", FOREIGN, ids=range(len(FOREIGN)))
    def test_cannot_call_aws_with_the_keys_that_everyone_knows(
        self, mailed: World, headers: dict[str, str]
    ) -> None:
        send, body = "/v2/email/identities", b'{"EmailIdentity": "evil.example"}'
        assert mailed.http("POST", send, body, headers)[0] == 403
        assert mailed.bare("POST", presigned(mailed, "POST", send, "ses", body), body, headers)[0] == 403
        form = urlencode({"Action": "CreateTopic", "Name": "evil", "Version": "2010-03-31"})
        status, answer = mailed.http("POST", "/", form.encode(), headers)
        assert (status, b"<Code>AccessDenied" in answer) == (403, True)
        assert mailed.bare("GET", presigned(mailed, "GET", f"/?{form}", "sns"), None, headers)[0] == 403
        form = urlencode(
            {"Action": "VerifyEmailIdentity", "EmailAddress": "a@evil.example", "Version": "2010-12-01"}
        )
        status, answer = mailed.bare("POST", "/", form.encode(), headers)
        assert (status, b"<Code>AccessDenied" in answer) == (403, True)
        status, answer = mailed.http("POST", "/", b"{}", {**headers, "X-Amz-Target": "AmazonSQS.ListQueues"})
        assert (status, b"another origin" in answer) == (403, True)
        assert mailed.ses.list_email_identities()["EmailIdentities"] == [
            {"IdentityType": "DOMAIN", "IdentityName": "mail.acme.example", "SendingEnabled": True,
             "VerificationStatus": "SUCCESS"}
        ]  # fmt: skip

    def test_cannot_make_the_browser_open_a_presigned_call(self, mailed: World) -> None:
        form = urlencode({"Action": "CreateTopic", "Name": "evil", "Version": "2010-03-31"})
        path = presigned(mailed, "GET", f"/?{form}", "sns")
        assert mailed.bare("GET", path, None, OPENED)[0] == 403
        assert mailed.bare("GET", f"/?Action=Unsubscribe&Acti%6Fn=CreateTopic&{form}", None, OPENED)[0] == 403
        assert mailed.bare("GET", "/_seslocal/sent", None, OPENED)[0] == 403

    @pytest.mark.parametrize(
        ("host", "agent"),
        [
            ("10.1.2.3:8005", "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0"),
            ("seslocal:8005", "python-requests/2.32"),  # whoever it says it is
            ("[2001:db8::7]:8005", ""),
            ("[::ffff:127.0.0.1]:8005", ""),
            ("localhost.:8005", ""),
            (
                "127.0.0.1:8005",
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/15.6 Safari/605.1.15",
            ),
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_cannot_change_anything_by_a_presigned_link_where_browsers_do_not_say_their_site(
        self, host: str, agent: str, method: str
    ) -> None:
        """Over plain HTTP, beyond loopback, an image's GET has neither Origin nor Sec-Fetch-Site."""
        admission = Admission(bound=("0.0.0.0",), names=("seslocal",))
        sent = {"host": host, "user-agent": agent}

        def answered(query: str, **more: str) -> bool:
            request = Request(method, "/", query, {**sent, **more}, b"", "10.9.9.9", keep_alive=True)
            return admission.refusal(request) is None

        signed = "&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=x"
        for action in ("SendEmail", "CreateTopic", "DeleteIdentity", "getx", ""):
            assert not answered(f"Action={action}{signed}"), action
        assert not answered(f"Action=GetSendQuota&Acti%6Fn=SendEmail{signed}")
        for action in ("GetSendQuota", "ListTopics", "DescribeConfigurationSet"):
            assert answered(f"Action={action}{signed}"), action
        assert answered(
            "Action=SendEmail", authorization="AWS4-HMAC-SHA256 x"
        )  # no page can send this header
        assert answered("Action=ConfirmSubscription&Token=x")

    def test_a_program_on_this_machine_may_use_a_presigned_link(self, world: World) -> None:
        form = urlencode({"Action": "CreateTopic", "Name": "news", "Version": "2010-03-31"})
        assert world.bare("GET", presigned(world, "GET", f"/?{form}", "sns"))[0] == 200
        own = {"Sec-Fetch-Site": "none", "User-Agent": "Mozilla/5.0"}  # typed by the user
        assert world.bare("GET", presigned(world, "GET", f"/?{form}", "sns"), None, own)[0] == 200

    def test_no_get_of_ses_v2_changes_anything(self) -> None:
        gets = {one.name for one in ses_routes().operations.values() if one.method == "GET"}
        assert len(gets) > 20
        assert {name for name in gets if not name.startswith(("Get", "List"))} == set()

    def test_cannot_unsubscribe_a_recipient(self, world: World) -> None:
        path = unsubscribe_path(world)
        one_click = b"List-Unsubscribe=One-Click"
        for headers in FOREIGN:
            assert world.bare("POST", path, one_click, {**headers, "Content-Type": SIMPLE[1]})[0] == 403
        assert not contact(world)["UnsubscribeAll"]


def presigned(world: World, method: str, path: str, service: str, body: bytes = b"") -> str:
    request = AWSRequest(method, f"http://{world.host}{path}", {}, body)
    SigV4QueryAuth(signing.TEST, service, signing.REGION, expires=60).add_auth(request)
    assert request.url is not None
    parts = urlsplit(request.url)
    return f"{parts.path}?{parts.query}"


def unsubscribe_path(world: World) -> str:
    world.ready()
    world.ses.create_contact_list(ContactListName="people", Topics=TOPICS)
    message_id = world.send("kim@example.com", ListManagementOptions={"ContactListName": "people"})
    mail = world.http("GET", f"/mail/{message_id}?view=headers")[1].decode()
    return "/U0/" + mail.partition("/U0/")[2][:36]


def contact(world: World) -> Any:
    return world.ses.get_contact(ContactListName="people", EmailAddress="kim@example.com")


class TestWhatBrowsersMayOpenFromElsewhere:
    def test_links_and_pixels_of_a_mail(self, world: World) -> None:
        path = unsubscribe_path(world)
        image = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
        assert world.bare("GET", path, None, OPENED)[0] == 200
        assert world.bare("GET", "/I0/x/y", None, image)[0] == 200
        assert world.bare("GET", "/L0/x", None, OPENED)[0] == 404  # an unknown link, and not a refused one
        assert world.bare("GET", "/V0/x", None, OPENED)[0] == 404
        assert world.bare("GET", CERTIFICATE_PATH, None, OPENED)[0] == 200

    def test_a_mail_program_posts_one_click_without_an_origin(self, world: World) -> None:
        path = unsubscribe_path(world)
        form = {"Content-Type": SIMPLE[1]}
        assert world.bare("POST", path, b"List-Unsubscribe=One-Click", form)[0] == 200
        assert contact(world)["UnsubscribeAll"]

    def test_the_recipients_own_page_posts_its_choices(self, world: World) -> None:
        path = unsubscribe_path(world)
        own = {"Origin": f"http://{world.host}", "Sec-Fetch-Site": "same-origin", "Content-Type": SIMPLE[1]}
        assert world.bare("POST", path, b"choices=1&all=on", own)[0] == 200
        assert contact(world)["UnsubscribeAll"]

    def test_links_of_sns_messages_and_a_link_to_the_page(self, world: World) -> None:
        confirm = urlencode(
            {"Action": "ConfirmSubscription", "TopicArn": "arn:aws:sns:us-east-1:0:x", "Token": "x"}
        )
        status, answer = world.bare("GET", f"/?{confirm}", None, OPENED)
        assert (status, b"AccessDenied" in answer) == (404, False)
        assert world.bare("GET", "/", None, OPENED)[0] == 200
        assert world.bare("GET", "/mail/x", None, OPENED)[0] == 404

    def test_a_frame_is_not_a_link(self, world: World) -> None:
        assert world.bare("GET", "/", None, {**OPENED, "Sec-Fetch-Dest": "iframe"})[0] == 403


class TestHostNames:
    @pytest.mark.parametrize(
        "host",
        [
            "evil.example", "evil.example:8005", "localhost.evil.example", "127.0.0.1.evil.example", "10.1.2.3", "0.0.0.0",
            "", "a b", "localhost,evil.example", "evil@localhost", "[::2]:1",
        ],
    )  # fmt: skip
    def test_a_rebound_name_reads_and_changes_nothing(self, mailed: World, host: str) -> None:
        for method, path in (
            ("GET", "/_seslocal/sent"),
            ("GET", "/"),
            ("POST", "/_seslocal/reset"),
            ("GET", "/I0/x/y"),
        ):
            # For its browser the page is of the same origin: it may set any type, and read what comes.
            headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
            status, said = by_browser(mailed, method, path, None, headers)
            assert status == 403
            assert "host name" in said
            assert "kim@example.com" not in said

    def test_a_call_of_aws_for_another_host_is_refused_too(self, mailed: World) -> None:
        path = "/v2/email/identities"
        headers = signing.signed("GET", path, host="evil.example")
        status, said = by_browser(mailed, "GET", path, None, {**headers, "Host": "evil.example"})
        assert status == 403
        assert json.loads(said)["message"].startswith("The host name evil.example is not allowed.")

    @pytest.mark.parametrize(
        "host", ["localhost", "LOCALHOST:1", "127.0.0.1:80", "127.9.9.9", "[::1]:8005", "localhost."]
    )
    def test_loopback_names_are_allowed_at_any_port(self, world: World, host: str) -> None:
        assert world.bare("GET", "/_seslocal/health", None, {"Host": host})[0] == 200

    def test_two_host_headers_are_refused(self, world: World) -> None:
        answer = world.talk(
            b"GET /_seslocal/health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 403")

    async def test_names_can_be_allowed(self) -> None:
        settings = seslocal.Settings(names=("seslocal", "*.test.example"))
        async with seslocal.running(settings=settings) as local, aiohttp.ClientSession() as session:
            for host, expected in (
                ("seslocal:8005", 200), ("a.test.example", 200), ("a.b.TEST.example", 200),
                ("test.example", 403), ("xtest.example", 403), ("evil.example", 403),
            ):  # fmt: skip
                async with session.get(f"{local.url}/_seslocal/health", headers={"Host": host}) as answer:
                    assert answer.status == expected, host


class TestJsonOnly:
    @pytest.mark.parametrize("kind", [*SIMPLE, "application/jsonx", None])
    def test_a_body_of_another_type_is_415_with_a_sentence(self, mailed: World, kind: str | None) -> None:
        headers = {"Content-Type": kind} if kind else {}
        status, said = by_browser(mailed, "POST", "/_seslocal/scenario", FAULT, headers)
        assert status == 415
        assert json.loads(said)["error"].startswith("The request must have Content-Type: application/json, ")

    def test_a_type_alone_is_refused_too(self, mailed: World) -> None:
        assert by_browser(mailed, "POST", "/_seslocal/reset", None, {"Content-Type": "text/plain"})[0] == 415

    def test_json_with_a_charset_and_no_body_at_all_are_allowed(self, world: World) -> None:
        json_kind = {"Content-Type": "Application/JSON; charset=utf-8"}
        assert by_browser(world, "PUT", "/_seslocal/clock", b'{"advance": 1}', json_kind)[0] == 200
        assert by_browser(world, "POST", "/_seslocal/reset", None, {})[0] == 200


@pytest.fixture
async def exposed() -> AsyncIterator[seslocal.Local]:
    async with seslocal.running(host="0.0.0.0") as local:
        yield local


async def status_of(local: seslocal.Local, path: str, **headers: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(local.url + path, headers=headers) as answer:
        if answer.status == 401:
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        return answer.status


class TestBeyondLoopback:
    @pytest.mark.parametrize(
        "path", ["/_seslocal/sent", "/_seslocal/health", "/", "/mail/x", "/?Action=x&Version=2010-12-01"]
    )
    async def test_admin_api_and_page_require_a_token(self, exposed: seslocal.Local, path: str) -> None:
        assert exposed.token
        assert exposed.url.startswith("http://127.0.0.1:")
        assert await status_of(exposed, path) == 401
        assert await status_of(exposed, path, Authorization="Bearer wrong") == 401
        assert await status_of(exposed, path, Authorization="Basic !") == 401
        assert await status_of(exposed, path, Authorization=f"Bearer {exposed.token}") != 401
        login = b64encode(f"kim:{exposed.token}".encode()).decode()
        assert await status_of(exposed, path, Authorization=f"Basic {login}") != 401

    @pytest.mark.parametrize("token", [None, "wrong", ""])
    async def test_every_admin_call_requires_a_token(
        self, exposed: seslocal.Local, token: str | None
    ) -> None:
        assert exposed._admin is not None
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        seen: list[str] = []
        async with aiohttp.ClientSession(headers=headers) as session:
            for method, pattern, _ in exposed._admin._routes:
                path = PREFIX + pattern.pattern.replace("([^/]+)", "x")
                body = {} if method in ("PUT", "POST") else None
                async with session.request(method, exposed.url + path, json=body) as answer:
                    assert answer.status == 401, (method, path)
                seen.append(f"{method} {path}")
        assert {"PUT /_seslocal/world", "POST /_seslocal/world/counterfactual"} <= set(seen)
        assert exposed.account.mailboxes.world is None

    async def test_a_wrong_token_resets_nothing(self, exposed: seslocal.Local) -> None:
        async with aiohttp.ClientSession() as session:
            for path in ("/_seslocal/reset", "/clear"):
                async with session.post(exposed.url + path) as answer:
                    assert answer.status == 401

    async def test_signed_calls_and_links_need_none(self, exposed: seslocal.Local) -> None:
        host = exposed.url.removeprefix("http://")
        assert (
            await status_of(
                exposed, "/v2/email/account", **signing.signed("GET", "/v2/email/account", host=host)
            )
            == 200
        )
        assert await status_of(exposed, "/I0/x/y") == 200
        assert await status_of(exposed, "/L0/x") == 404

    async def test_any_address_of_the_machine_is_allowed_and_a_name_is_not(
        self, exposed: seslocal.Local
    ) -> None:
        login = {"Authorization": f"Bearer {exposed.token}"}
        assert await status_of(exposed, "/_seslocal/health", Host="192.0.2.7:8005", **login) == 200
        assert await status_of(exposed, "/_seslocal/health", Host="evil.example", **login) == 403

    async def test_a_token_that_was_set_is_required_on_loopback_too(self) -> None:
        async with seslocal.running(settings=seslocal.Settings(token="chosen")) as local:
            assert local.token == "chosen"
            assert not local.exposed
            assert await status_of(local, "/_seslocal/sent") == 401
            assert await status_of(local, "/_seslocal/sent", Authorization="Bearer chosen") == 200

    def test_on_loopback_there_is_none(self, world: World) -> None:
        assert world.local.token is None
        assert world.bare("GET", "/_seslocal/sent")[0] == 200


def test_boto3_and_the_admin_api_work_as_before(world: World) -> None:
    client: Any = boto3.Session("test", "test", region_name=signing.REGION).client(
        "sesv2", endpoint_url=world.local.url
    )
    client.create_email_identity(EmailIdentity="acme.example")
    client.close()
    world.mailbox("kim@example.com", "bounces")
    assert world.admin("GET", f"/mailboxes/{quote('kim@example.com')}")["fate"] == "bounces"
