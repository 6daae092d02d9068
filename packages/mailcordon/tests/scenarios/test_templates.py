"""Templates on a running system: from the command line to the mail that arrives."""

import asyncio
import base64
import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from mailcordon_fixtures.traffic import Traffic, domain

from .conftest import Run

HTML = (
    "<p>Dear {{ name }},</p>{% for one in items %}<p>{{ one.what }}: {{ one.price }}</p>{% endfor %}"
    "{% include 'footer.html' %}"
)
DATA = {"name": "Kim & Jo", "items": [{"what": "Tea", "price": "4.50"}]}


class Shop:
    def __init__(self, mail: Traffic, slug: str) -> None:
        self.mail = mail
        self.slug = slug

    async def put(self, name: str, **sources: Any) -> dict[str, Any]:
        status, said = await self.mail.call("PUT", f"/v1/templates/{name}?tenant={self.slug}", sources)
        assert status == 200, said
        return said["template"]

    async def send(self, template: str, data: Any = None, key: str = "", **more: Any) -> tuple[int, Any]:
        body: dict[str, Any] = {
            "tenant": self.slug,
            "type": "receipt",
            "from": f"shop@{domain(self.slug, 'receipt')}",
            "to": "kim@example.com",
            "template": template,
            **({} if data is None else {"data": data}),
            **more,
        }
        return await self.mail.call("POST", "/v1/messages", body, **({"Idempotency-Key": key} if key else {}))

    async def arrived(self) -> list[dict[str, Any]]:
        """The content of each mail that SES has, the oldest first."""
        await self.mail.all_final(self.slug)
        return [
            (await self.mail.ses("GET", f"/sent/{one['message_id']}"))["content"]
            for one in await self.mail.sent(self.slug)
        ]


@pytest.fixture
async def shop(mail: Traffic) -> Shop:
    slug = f"shop-{secrets.token_hex(3)}"
    await mail.onboard({slug: ("receipt", "newsletter")})
    return Shop(mail, slug)


def words(simple: dict[str, Any]) -> tuple[str, str, str]:
    found = simple["Simple"]
    return found["Subject"]["Data"], *(found["Body"][part]["Data"] for part in ("Text", "Html"))


async def test_a_template_from_a_folder_becomes_the_mail_that_arrives(
    shop: Shop, run: Run, tmp_path: Path
) -> None:
    def cli(*line: str) -> Any:
        code, out, err = run("template", *line, "--tenant", shop.slug, "--json")
        assert code == 0, err
        return json.loads(out)

    sources = {"subject.txt": "Receipt for {{ name }}\n", "html.html": HTML, "footer.html": "<hr>"}
    for name, text in sources.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "data.json").write_text(json.dumps(DATA))
    data = ("--data", str(tmp_path / "data.json"))
    shown = await asyncio.to_thread(cli, "preview", "receipt", str(tmp_path), *data)
    assert shown["text"] == "Dear Kim & Jo,\n\nTea: 4.50\n\n" + "-" * 40
    assert (await asyncio.to_thread(cli, "put", "receipt", str(tmp_path)))["template"]["version"] == 1
    assert not (await asyncio.to_thread(cli, "put", "receipt", str(tmp_path)))["made"]
    assert (await shop.send("receipt", DATA))[0] == 202
    assert [words(one) for one in await shop.arrived()] == [
        (
            "Receipt for Kim & Jo",
            shown["text"],
            "<p>Dear Kim &amp; Jo,</p><p>Tea: 4.50</p><hr>",
        )
    ]

    (tmp_path / "subject.txt").write_text("Your receipt")
    changes = await asyncio.to_thread(cli, "diff", "receipt", str(tmp_path))
    assert changes["diff"].splitlines()[-2:] == ["-Receipt for {{ name }}", "+Your receipt"]
    assert (await asyncio.to_thread(cli, "put", "receipt", str(tmp_path)))["template"]["version"] == 2
    changes = await asyncio.to_thread(cli, "diff", "receipt")
    assert (changes["from"], changes["to"]) == ("receipt@1", "receipt@2")
    versions = await asyncio.to_thread(cli, "versions", "receipt")
    assert [one["version"] for one in versions["items"]] == [2, 1]
    listed = await asyncio.to_thread(cli, "list")
    assert ("receipt", shop.slug) in [(one["name"], one["owner"]) for one in listed["items"]]
    assert (await asyncio.to_thread(cli, "show", "receipt", "--version", "1"))["subject"] == sources[
        "subject.txt"
    ].strip()

    line = ("--type", "receipt", "--from", f"a@{domain(shop.slug, 'receipt')}", "--to", "lee@example.com")
    code, _, err = await asyncio.to_thread(
        run, "send", "--tenant", shop.slug, *line, "--template", "receipt@1", *data
    )
    assert code == 0, err
    assert words((await shop.arrived())[-1])[0] == "Receipt for Kim & Jo"

    # Each message is made with what was stored before it, or with the version that it names.
    for reference, subject in (("receipt", "Your receipt"), ("receipt@1", "Receipt for Kim & Jo")):
        assert (await shop.send(reference, DATA))[0] == 202
        assert words((await shop.arrived())[-1])[0] == subject
    await asyncio.to_thread(cli, "retire", "receipt")
    for reference in ("receipt", "receipt@1", "receipt@9", "nope"):
        status, said = await shop.send(reference, DATA)
        assert (status, said["code"]) == (422, "unknown-template"), said


async def test_a_template_that_fails_refuses_its_message_alone(shop: Shop) -> None:
    await shop.put("receipt", subject="For {{ name }}", html="<p>\n\n{{ user.name }}")
    await shop.put("bomb", subject="x", html="{{ [1] * 100000000 }}")
    await shop.put("fine", subject="Hi {{ name }}", text="x")
    for template, data, said in (
        (
            "receipt",
            {"name": "Kim", "user": {}},
            "template receipt@1, html, line 3: user.name is not in the data",
        ),
        ("receipt", None, "template receipt@1, subject, line 1: name is not in the data"),
        ("receipt", {"name": "Kim\r\nBcc: lee@example.com", "user": {"name": "x"}}, "line break"),
    ):
        status, problem = await shop.send(template, data)
        assert (status, problem["code"], said in problem["detail"]) == (422, "rendering", True), problem
    bomb = asyncio.create_task(shop.send("bomb"))
    fine = [await shop.send("fine", {"name": str(number)}) for number in range(3)]
    assert [status for status, _ in fine] == [202] * 3
    status, problem = await bomb
    assert (status, "1 s of computing time" in problem["detail"]) == (422, True), problem
    for body, field, said in (
        ({"subject": "own"}, "subject", "the template makes it"),
        ({"html": "own"}, "html", "the template makes it"),
        ({"template": "a b"}, "template", "1 to 64 letters"),
        ({"template": "fine@0"}, "template", "a number from 1"),
        ({"data": {"x": "y" * 270_000}}, "data", "at most 262,144 bytes"),
        ({"to": "nobody"}, "to[0]", ""),
    ):
        more: dict[str, Any] = {"template": "fine", "data": {"name": "x"}, **body}
        status, problem = await shop.send(**more)
        [error] = problem["errors"]
        assert (status, error["field"], said in error["problem"]) == (422, field, True), problem
    status, problem = await shop.mail.call(
        "POST",
        "/v1/messages",
        {"tenant": shop.slug, "type": "receipt", "from": "a@b.example", "to": "x@example.com", "data": {}},
    )
    assert (status, problem["errors"][0]["field"]) == (422, "template")
    assert sorted(words_only["Simple"]["Subject"]["Data"] for words_only in await shop.arrived()) == [
        "Hi 0",
        "Hi 1",
        "Hi 2",
    ]


async def test_a_retry_after_the_template_was_changed_is_the_same_message(shop: Shop) -> None:
    await shop.put("receipt", subject="One {{ n }}", text="x")
    key = secrets.token_hex(8)
    first = (await shop.send("receipt", {"n": 1}, key))[1]
    await shop.put("receipt", subject="Two {{ n }}", text="x")
    status, again = await shop.send("receipt", {"n": 1}, key)
    assert (status, again["id"]) == (202, first["id"])
    others: list[tuple[Any, dict[str, Any]]] = [
        ({"n": 2}, {}),
        ({"n": 1}, {"campaign": "x"}),
        ({"n": 1}, {"to": "lee@example.com"}),
    ]
    for data, more in others:
        status, problem = await shop.send("receipt", data, key, **more)
        assert (status, problem["code"]) == (409, "idempotency"), problem
    await shop.put("receipt", subject="{{ nothing }}", text="x")  # and one that fails
    status, again = await shop.send("receipt", {"n": 1}, key)
    assert (status, again.get("id")) == (202, first["id"])
    assert (await shop.send("receipt", {"n": 2}, key))[0] == 409
    status, problem = await shop.send("receipt", {"n": 1}, secrets.token_hex(8))
    assert (status, problem["code"]) == (422, "rendering")
    assert [one["Simple"]["Subject"]["Data"] for one in await shop.arrived()] == ["One 1"]


async def test_each_message_of_a_batch_has_data_of_its_own_and_fails_alone(shop: Shop) -> None:
    await shop.put("receipt", subject="Hi {{ name }}", text="x")
    common = {"tenant": shop.slug, "type": "receipt", "from": f"a@{domain(shop.slug, 'receipt')}"}
    messages = [
        {**common, "to": f"{number}@example.com", "template": "receipt", "data": data}
        for number, data in enumerate([{"name": "Kim"}, {}, {"name": "Lee"}])
    ]
    status, said = await shop.mail.call("POST", "/v1/messages/batch", {"messages": messages})
    assert (status, [one["status"] for one in said["results"]]) == (200, [202, 422, 202]), said
    assert "name is not in the data" in said["results"][1]["problem"]["detail"]
    assert {one["Simple"]["Subject"]["Data"] for one in await shop.arrived()} == {"Hi Kim", "Hi Lee"}


async def test_a_large_message_and_a_large_rendering_are_made_with_a_template_too(shop: Shop) -> None:
    await shop.put("receipt", subject="Hi {{ name }}", text="{{ fill * times }}")
    pdf = base64.b64encode(b"%PDF" + bytes(400_000)).decode()
    files = [{"filename": "invoice.pdf", "content": pdf}]
    assert (await shop.send("receipt", {"name": "Kim", "fill": "a", "times": 1}, attachments=files))[0] == 202
    assert (await shop.send("receipt", {"name": "Lee", "fill": "b" * 1000, "times": 150}))[0] == 202
    assert (
        await shop.send(
            "receipt",
            {"name": "Ann", "fill": "c" * 1000, "times": 150},
            to=["a@example.com", "b@example.com"],
        )
    )[0] == 202
    await shop.mail.all_final(shop.slug)
    assert len(await shop.mail.sent(shop.slug)) == 4
    status, problem = await shop.send(
        "receipt", {"name": "Kim", "fill": "a" * 200_000, "times": 9}, attachments=files
    )
    assert (status, "200,000 steps" in problem["detail"] or "longer than" in problem["detail"]) == (
        422,
        True,
    ), problem


async def test_a_newsletter_from_a_template_has_each_recipients_own_link(shop: Shop) -> None:
    await shop.put("news", subject="News", html='<p><a href="{{ unsubscribe_url }}">Unsubscribe</a>')
    more: dict[str, Any] = {
        "type": "newsletter",
        "from": f"a@{domain(shop.slug, 'newsletter')}",
        "to": ["kim@example.com", "lee@example.com"],
        "individually": True,
    }
    status, _ = await shop.send("news", **more)
    assert status == 202
    found = [words(one) for one in await shop.arrived()]
    assert len({html for _, _, html in found}) == 2
    assert all("/u/" in text and "/u/" in html for _, text, html in found)
