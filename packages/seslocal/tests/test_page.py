"""The web page as it is served: what it shows, its search, its safety, and clearing."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from seslocal.page import PER_PAGE
from seslocal.state.event_log import EventLog
from seslocal_fixtures.pages import NASTY, get, happen, mail, rows

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

HTML = (
    '<html><head><meta http-equiv="refresh" content="0;url=https://evil.example/"></head><body>Hello '
    '<img src="https://evil.example/spy.png"><img src="cid:logo@acme"><script>document.title=1</script>'
    '<a href="https://acme.example/">there</a></body></html>'
)
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6364f80f000102010150b7d3c70000000049454e44ae426082"
)


def clear(world: World, **headers: str) -> int:
    return world.http("POST", "/clear", headers=headers)[0]


def test_the_empty_page_shows_how_to_send(world: World) -> None:
    status, text, _ = get(world, "/")
    assert status == 200
    assert f'endpoint_url="http://{world.local.host}:{world.local.port}"' in unescape(text)
    assert "No mail yet." in text


def test_the_page_shows_everything_about_a_mail(world: World) -> None:
    world.ready()
    world.mailbox("lee@example.com", "bounces", subtype="MailboxFull")
    message_id = world.send(
        Destination={"ToAddresses": ["kim@example.com", "lee@example.com"]},
        EmailTags=[{"Name": "attempt", "Value": "a-1"}],
        text="Good news",
    )
    happen(world)
    status, listed, _ = get(world, "/")
    assert (status, rows(listed)) == (200, ["Hi"])
    _, text, _ = get(world, f"/mail/{message_id}")
    for word in (
        "kim@example.com",
        "delivered",
        "bounced <small>MailboxFull",
        "acme-reset",
        "attempt<b>a-1",
        message_id,
    ):
        assert word in text, word
    assert '<a href="/?tenant=acme">acme</a>' in text
    assert '<pre class="text">Good news</pre>' in text
    _, headers, _ = get(world, f"/mail/{message_id}?view=headers")
    assert "<th>To</th><td>kim@example.com, lee@example.com</td>" in headers
    _, source, _ = get(world, f"/mail/{message_id}?view=source")
    assert "MIME-Version: 1.0" in source
    assert "Good news" in source


def test_content_of_a_mail_is_escaped_everywhere(world: World) -> None:
    world.ready()
    files = [{"FileName": NASTY.replace("/", "") + ".txt", "RawContent": b"x"}]
    headers = [{"Name": "X-Nasty", "Value": NASTY}]
    content = {
        "Subject": {"Data": NASTY}, "Body": {"Text": {"Data": NASTY}}, "Attachments": files, "Headers": headers,
    }  # fmt: skip
    message_id = world.send(
        "kim@example.com", sender=f'"{NASTY}" <a@mail.acme.example>', Content={"Simple": content}
    )
    for path in (
        "/", f"/mail/{message_id}", f"/mail/{message_id}?view=headers", f"/mail/{message_id}?view=source",
        f"/?q={quote(NASTY)}", f"/?tenant={quote(NASTY)}", f"/mail/{quote(NASTY, safe='')}", f"/?view={quote(NASTY)}",
    ):  # fmt: skip
        status, text, sent = get(world, path)
        assert status in (200, 404)
        assert "<script>" not in text
        assert "script-src 'self'" in sent["content-security-policy"]
        assert "default-src 'none'" in sent["content-security-policy"]


def test_html_is_framed_with_a_policy_that_blocks_scripts_and_remote_content(world: World) -> None:
    world.ready()
    message_id = mail(world, body={"Html": {"Data": HTML}})
    _, text, sent = get(world, f"/mail/{message_id}")
    [frame] = re.findall(r"<iframe[^>]*>", text)
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in frame
    assert f'src="/mail/{message_id}/body"' in frame
    assert "frame-src 'self'" in sent["content-security-policy"]
    _, body, sent = get(world, f"/mail/{message_id}/body")
    policy = sent["content-security-policy"]
    assert policy.startswith("sandbox allow-popups")
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert "script-src" not in policy  # so default-src 'none' applies
    assert "default-src 'none'; frame-ancestors 'self'; img-src data:; style-src 'unsafe-inline'" in policy
    assert "refresh" not in body
    _, _, asked = get(world, f"/mail/{message_id}/body?remote=1")
    assert "img-src * data:" in asked["content-security-policy"]
    assert asked["content-security-policy"].startswith("sandbox allow-popups")
    _, page, _ = get(world, f"/mail/{message_id}?view=html&remote=1")
    assert f'src="/mail/{message_id}/body?remote=1"' in page


def test_embedded_pictures_are_shown_and_attachments_are_downloads(world: World) -> None:
    world.ready()
    files = [
        {
            "FileName": "logo.png", "RawContent": DOT, "ContentType": "image/png", "ContentId": "logo@acme",
            "ContentTransferEncoding": "BASE64",
        },
        {"FileName": "page.html", "RawContent": b"<script>1</script>", "ContentType": "text/html"},
    ]  # fmt: skip
    message_id = mail(world, body={"Html": {"Data": HTML}}, attachments=files)
    _, body, _ = get(world, f"/mail/{message_id}/body")
    assert 'src="data:image/png;base64,iVBOR' in body
    _, text, _ = get(world, f"/mail/{message_id}")
    assert "page.html" in text
    status, data, sent = get(world, f"/mail/{message_id}/files/1")
    assert (status, data) == (200, "<script>1</script>")
    assert sent["content-type"] == "application/octet-stream"
    assert sent["content-disposition"].startswith("attachment;")
    assert sent["x-content-type-options"] == "nosniff"
    assert get(world, f"/mail/{message_id}/files/2")[0] == 404
    assert get(world, f"/mail/{message_id}/files/x")[0] == 404


def test_raw_mail_is_shown_by_its_parts(world: World) -> None:
    world.ready()
    data = (
        b"From: a@mail.acme.example\r\nTo: kim@example.com\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\n'
        b"Gr\xfc\xdfe\r\n--x\r\nContent-Type: text/html; charset=nonsense\r\n\r\n<b>Hi</b>\r\n--x\r\n"
        b'Content-Type: application/pdf; name="a.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
        b"Content-Disposition: attachment\r\n\r\nJVBERg==\r\n--x--\r\n"
    )
    message_id = world.send(Content={"Raw": {"Data": data}}, Destination={"ToAddresses": ["kim@example.com"]})
    _, text, _ = get(world, f"/mail/{message_id}?view=text")
    assert "Grüße" in text
    assert "a.pdf" in text
    assert get(world, f"/mail/{message_id}/files/0")[1] == "%PDF"
    assert "<b>Hi</b>" in get(world, f"/mail/{message_id}/body")[1]
    status, source, sent = get(world, f"/mail/{message_id}/source")
    assert (status, sent["content-type"]) == (200, "message/rfc822")
    assert source.encode("utf-8", "replace").startswith(b"From: a@mail.acme.example\r\nTo: kim")


def test_mail_is_found_by_recipient_subject_and_tenant(world: World) -> None:
    world.ready()
    world.tenant("globex", world.arn("identity/mail.acme.example"), world.arn("configuration-set/acme-reset"))
    mail(world, "Your invoice", "Kim@example.com")
    mail(world, 'Grüße "here"', "lee@example.org", tenant="globex")
    mail(world, "Password", "ada@example.org", tenant=None)

    def found(query: str) -> list[str]:
        return rows(get(world, f"/?{query}")[1])

    assert found("") == ["Password", 'Grüße "here"', "Your invoice"]
    assert found("q=kim@") == ["Your invoice"]
    assert found("q=INVOICE") == ["Your invoice"]
    assert found("q=" + quote("grüße")) == ['Grüße "here"']
    assert found("q=" + quote('"here"')) == ['Grüße "here"']
    assert found("q=globex") == ['Grüße "here"']
    assert found("q=example.org") == ["Password", 'Grüße "here"']
    assert found("tenant=acme") == ["Your invoice"]
    assert found("tenant=acme&q=lee") == []
    assert found("q=MIME-Version") == []  # headers are not searched


def test_older_mail_is_on_the_next_page(world: World) -> None:
    world.ready()
    for number in range(PER_PAGE + 3):
        mail(world, f"n{number}")
    _, first, _ = get(world, "/?q=n")
    assert rows(first)[0] == f"n{PER_PAGE + 2}"
    assert len(rows(first)) == PER_PAGE
    [older] = re.findall(r'href="([^"]*)">Older', first)
    _, second, _ = get(world, unescape(older))
    assert rows(second) == ["n2", "n1", "n0"]
    assert "Older" not in second
    assert 'href="/?q=n">Newest' in second


def test_clear_empties_the_ledger_from_this_page_only(world: World) -> None:
    world.ready()
    mail(world)
    own = f"http://{world.local.host}:{world.local.port}"
    assert clear(world, **{"Sec-Fetch-Site": "cross-site"}) == 403
    assert clear(world, Origin="https://evil.example") == 403
    assert world.http("GET", "/clear")[0] == 405
    assert len(rows(get(world, "/")[1])) == 1
    assert clear(world, Origin=own, **{"Sec-Fetch-Site": "same-origin"}) == 303
    assert rows(get(world, "/")[1]) == []
    assert world.admin("GET", "/sent")["sent"] == []
    assert world.ses.list_tenants()["Tenants"]  # nothing else is deleted
    assert mail(world)


def test_the_header_shows_clock_and_faults(world: World) -> None:
    world.admin("PUT", "/clock", {"at": "2026-01-01T00:00:00Z", "frozen": True})
    world.fault("drop_events")
    _, text, _ = get(world, "/")
    assert "clock frozen at 2026-01-01 00:00:00" in text
    assert "1 active fault" in text


def test_a_missing_mail_is_404_with_the_reason(world: World) -> None:
    status, text, _ = get(world, "/mail/nothing")
    assert status == 404
    assert "has no mail" in text
    assert get(world, "/assets/other.css")[0] == 404
    assert get(world, "/assets/../__init__.py")[0] == 404


def test_a_mail_with_dropped_content_still_shows_its_headers(world: World) -> None:
    world.ready()
    message_id = mail(world)
    line = world.local.account.mail.ledger.get(message_id)
    assert line is not None
    line.content = None
    status, text, _ = get(world, f"/mail/{message_id}")
    assert status == 200
    assert "no longer stored" in text
    assert get(world, f"/mail/{message_id}/body")[0] == 404
    assert get(world, f"/mail/{message_id}/source")[:2] == (200, "")


@pytest.mark.parametrize("path", ["/", "/mail/x", "/assets/page.css", "/assets/page.js"])
def test_every_response_has_nosniff(world: World, path: str) -> None:
    assert get(world, path)[2]["x-content-type-options"] == "nosniff"


def test_a_mail_made_from_a_template_shows_the_template_its_data_and_why_it_failed(world: World) -> None:
    world.ready()
    template = {"TemplateContent": {"Subject": "Hello {{name}}", "Text": "Dear {{name}}"}}
    made, failed = (
        world.send("kim@example.com", Content={"Template": {**template, "TemplateData": data}})
        for data in ('{"name": "Kim"}', '{"nom": "<b>"}')
    )
    happen(world)
    _, text, _ = get(world, f"/mail/{made}")
    assert "<dt>Template</dt><dd>inline</dd>" in text
    assert '<pre class="data">{\n  &quot;name&quot;: &quot;Kim&quot;\n}</pre>' in text
    assert '<pre class="text">Dear Kim</pre>' in text
    status, text, _ = get(world, f"/mail/{failed}")
    assert status == 200
    assert "Attribute &#x27;name&#x27; is not present in the rendering data." in text
    assert "&lt;b&gt;" in text
    assert "not rendered" in get(world, "/")[1]


def test_template_data_that_is_large_or_not_json_is_shown_truncated_as_it_is(world: World) -> None:
    world.ready()
    data = '{"name": [' + "1," * 20_000 + "1]}"
    template = {"TemplateContent": {"Subject": "s", "Text": "t"}, "TemplateData": data}
    _, text, _ = get(world, f"/mail/{world.send('kim@example.com', Content={'Template': template})}")
    assert "1,1,1 …</pre>" in text or "1,1, …</pre>" in text
    assert len(text) < 40_000


def test_an_opted_out_recipient_shows_as_unsubscribed_with_a_link(world: World) -> None:
    world.ready()
    world.ses.create_contact_list(ContactListName="people")
    world.ses.create_contact(ContactListName="people", EmailAddress="kim@example.com", UnsubscribeAll=True)
    sent = mail(world, ListManagementOptions={"ContactListName": "people"})
    happen(world)
    _, text, _ = get(world, f"/mail/{sent}")
    assert text.count('<span class="fate off">unsubscribed</span>') == 2  # in the list and in the detail
    found = re.search('<dt>Unsubscribe</dt><dd><a href="(/U0/[^"]+)">', text)
    assert found is not None
    assert get(world, found[1])[0] == 200


def test_a_callers_own_unsubscribe_header_is_not_a_link(world: World) -> None:
    world.ready()
    header = {"Name": "List-Unsubscribe", "Value": '<javascript:alert("x")>'}
    simple = {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}, "Headers": [header]}
    _, text, _ = get(world, f"/mail/{world.send('kim@example.com', Content={'Simple': simple})}")
    assert "<dt>Unsubscribe</dt><dd>&lt;javascript:alert(&quot;x&quot;)&gt;</dd>" in text


def test_events_that_the_log_has_forgotten_are_shown_if_vdm_recorded_them(world: World) -> None:
    world.ready()
    untracked = mail(world)
    world.ses.put_account_vdm_attributes(VdmAttributes={"VdmEnabled": "ENABLED"})
    sent = mail(world)
    happen(world)
    world.local.account.events.log = EventLog()
    assert "<dt>Events</dt>" not in get(world, f"/mail/{untracked}")[1]
    events = get(world, f"/mail/{sent}")[1].partition("<dt>Events</dt>")[2].partition("</dd>")[0]
    assert re.findall(r"<span>(\w+) ", events) == ["Send", "Delivery"]
