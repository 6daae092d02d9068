"""Defects of a new path in a running system: each is seen at 1 percent by its gate or its line of the checklist, goes back by
itself, and is named. One system carries all of them at once, and beside them a path without a defect, which goes on.

`./dev crash defects` runs it; the suite does not.
"""

import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mailcordon.adapters.db.installation import load_or_create_installation
from mailcordon.core import address, path_choice
from mailcordon_fixtures import moving, systems, traffic
from mailcordon_fixtures.moving import done
from mailcordon_fixtures.traffic import Traffic

TYPE = "newsletter"
PLATFORM, SHARED = "platform", "mail.platform.example"
MINUTE, HOUR = 60_000, 3_600_000
#: Readers of each tenant: on the new path at 1 percent, and beyond 5 percent. To go on takes more mail than to go back.
NEW, OLD, TO_GO_ON = 40, 40, 60
UNSIGNED = "smtp; 550-5.7.26 Unauthenticated email is not accepted due to the domain's DMARC policy."
#: What is planted, and a part of the sentence that it is named by: of two that may be first, either.
DEFECTS = {
    "selector": ("refused for spam, reputation, authentication or policy",),
    "destination": ("SES reported nothing of", "so nothing is heard of its mail"),
    "cold": ("delayed",),
    "mail-from": ("falls back to its own",),
    "suppression": ("suppression list",),
    "untagged": ("SES reported nothing of",),
    "addresses": ("bounced hard",),
}
HEALTHY = "healthy"


@dataclass
class Moving:
    """A tenant whose lane moves from the shared path to its own."""

    slug: str
    key: str = ""  #: of the tenant, which is the name of its SES tenant
    set_: str = ""  #: of its own path
    url: str = ""  #: of its rollout
    new: list[str] = field(default_factory=list[str])  #: readers on its own path at 1 percent
    old: list[str] = field(default_factory=list[str])

    @property
    def domain(self) -> str:
        return traffic.domain(self.slug, TYPE)


@pytest.fixture(scope="module")
def system(short_home: Callable[[], contextlib.AbstractContextManager[Path]]) -> Iterator[systems.System]:
    """One of its own: hours pass in it, and its tenants are harmed in every way."""
    with short_home() as home, systems.running(home) as running:
        yield running


@pytest.fixture
def ses(system: systems.System) -> Iterator[Any]:
    client = moving.ses_client(system)
    yield client
    client.close()


@pytest.fixture
async def mail(system: systems.System) -> AsyncIterator[Traffic]:
    async with traffic.on(system) as mail:
        yield mail


class Moves:
    def __init__(self, mail: Traffic, ses: Any, slugs: Collection[str]) -> None:
        self.mail = mail
        self.ses = ses
        self.of = {slug: Moving(slug) for slug in slugs}

    async def on_two_paths(self) -> None:
        """All domains are set up as they should be, and all mail takes the shared path."""
        mail = self.mail
        asked = {
            "slug": "destination",
            "types": {TYPE: traffic.domain("destination", TYPE)},
            "dedicated": True,
        }
        await done(mail, "POST", "/v1/tenants", asked)  # its set is no other tenant's
        await mail.onboard(dict.fromkeys(self.of, (TYPE,)))
        await moving.onto_two_paths(mail, list(self.of), TYPE, PLATFORM)
        for each in self.of.values():
            await mail.ses("POST", f"/identities/{each.domain}/publish", {})
            await mail.ses(
                "PUT", f"/dns/_dmarc.{each.domain}", {"type": "TXT", "value": "v=DMARC1; p=reject"}
            )

        async def known() -> bool:
            """What SES has of everything, so that checks of domains see it."""
            return not await mail.db.fetchval(
                "select exists (select from ses_resource where kind = 'association' and name = $1 and state <> 'applied')"
                " or exists (select from ses_resource where kind = 'identity' and whole -> 'MailFromAttributes'"
                " ->> 'MailFromDomainStatus' is distinct from 'SUCCESS')",
                PLATFORM,
            )

        await mail.until(known, "what SES has is known")
        rows = await mail.db.fetch(
            "select t.slug, t.key, r.configuration_set from tenant t join route r on r.tenant = t.id and r.path = 'isolated'"
        )
        for row in rows:
            self.of[row["slug"]].key, self.of[row["slug"]].set_ = row["key"], row["configuration_set"]

    async def find_readers(self) -> None:
        keys = (self.mail.system.home / "secret-keys").read_text().split()
        hash_key = (await load_or_create_installation(self.mail.db, keys, "local")).hash_key
        for each in self.of.values():
            for number in itertools.count():
                reader = f"r{number}@{each.slug}-readers.example"
                hash_ = address.hash_of_text(hash_key, reader)
                if path_choice.isolated(each.key, hash_, 1):
                    each.new.append(reader)
                elif len(each.old) < OLD and not path_choice.isolated(each.key, hash_, 5):
                    each.old.append(reader)
                if len(each.new) == (TO_GO_ON if each.slug == HEALTHY else NEW):
                    break

    async def start(self) -> None:
        """To 1 percent. What this test has no use for is let pass: a proof and an alert channel."""
        begin = {"owner": "ops", "because": "a test"}
        await done(self.mail, "POST", "/v1/suppression-split", begin)
        for each in self.of.values():
            await done(self.mail, "POST", f"/v1/identities/{each.domain}/check")

        async def missing(each: Moving) -> list[str]:
            preview = await done(
                self.mail, "POST", "/v1/rollouts/preview", {"tenant": each.slug, "types": [TYPE]}
            )
            return [one["key"] for one in preview["checklist"] if not one["holds"] and one["from_share"] <= 5]

        for each in self.of.values():

            async def ready(each: Moving = each) -> bool:
                return await missing(each) == self.let_pass(each)

            await self.mail.until(ready, f"the checklist of {each.slug} holds")
            asked = {"tenant": each.slug, "types": [TYPE], "pace": 0, "because": "off the shared domain"}
            each.url = f"/v1/rollouts/{(await done(self.mail, 'POST', '/v1/rollouts', asked))['id']}"
            await done(self.mail, "POST", f"{each.url}/advance", self.go_on(each))

    def let_pass(self, each: Moving) -> list[str]:
        return [f"proved:{each.slug}/{TYPE}", f"alerts:{each.slug}"]

    def go_on(self, each: Moving) -> dict[str, Any]:
        return {"because": "a test", "overrides": self.let_pass(each)}

    async def send(self, subject: str, readers: int | None = None) -> dict[str, dict[str, set[str]]]:
        """To everybody's readers, or so many of each path. Who got it from which domain, by tenant. All of it is one campaign:
        more mailings to the same people would be less evidence each."""
        for each in self.of.values():
            everybody = each.new[:readers] + each.old[:readers]
            for start in range(0, len(everybody), traffic.MOST_RECIPIENTS):
                to = everybody[start : start + traffic.MOST_RECIPIENTS]
                sent = await self.mail.put(each.slug, TYPE, to, campaign="news", subject=subject)
                assert sent is not None
        await self.mail.all_final(*self.of)
        found: dict[str, dict[str, set[str]]] = {slug: {} for slug in self.of}
        for one in await self.mail.sent():
            if one["subject"] == subject:
                [reader] = one["recipients"]
                of = found[reader.rpartition("@")[2].removesuffix("-readers.example")]
                of.setdefault(one["from"].rpartition("@")[2].rstrip(">"), set()).add(reader)
        return found

    async def became_bad(self) -> None:
        """All that were accused have gone back by themselves, and what they are accused of is named."""
        said: dict[str, str] = {}
        for slug in DEFECTS:
            found = await self.mail.until(partial(self.shown, slug, state="back"), f"{slug} went back")
            said[slug] = found["sentence"]
            [last] = [one for one in found["steps"] if one["what"] == "back"]
            assert (last["from_share"], last["to_share"], last["by"]) == (1, 0, "rollout")
        unnamed = [slug for slug, words in DEFECTS.items() if not any(word in said[slug] for word in words)]
        assert unnamed == [], said

    async def shown(self, slug: str, **values: object) -> Any:
        """Its rollout, if it is so. Nothing while the connections that a shift of the clock ended are made again."""
        status, said = await self.mail.call("GET", self.of[slug].url)
        assert status in (200, 503), said
        return said if status == 200 and {name: said[name] for name in values} == values else None

    async def seen_broken(self, slug: str) -> bool:
        """Whether the checklist's line of that name does not hold."""
        found = await self.shown(slug)
        return found is not None and any(
            one["check"] == slug and one["holds"] is False for one in found["checklist"]
        )

    # The defects

    async def plant(self) -> None:
        """The new paths worked until now."""
        mail, of = self.mail, self.of
        # The keys are published under other selectors: mail is not signed by a key that anybody finds, and hosts refuse it.
        for one in (await mail.ses("GET", f"/identities/{of['selector'].domain}/records"))["records"]:
            if one["type"] == "CNAME":
                async with mail.http.delete(f"{mail.system.ses_url}/_seslocal/dns/{one['name']}") as answer:
                    assert answer.status == 200
                wrong = {"type": "CNAME", "value": one["value"]}
                await mail.ses("PUT", f"/dns/wrong-{one['name']}", wrong)
        await self.hosts(
            "selector", {"fate": "bounces", "subtype": "ContentRejected", "diagnostic": UNSIGNED}
        )
        # Somebody deletes the destination, and differences are proposed only.
        policy = {"act": "propose", "because": "a test"}
        await done(mail, "PUT", "/v1/drift/policies/missing-destination", policy)
        self.ses.delete_configuration_set_event_destination(
            ConfigurationSetName=of["destination"].set_, EventDestinationName="outcome"
        )
        await self.hosts("cold", {"fate": "defers", "subtype": "IPFailure", "seconds": 1})
        await self.hosts("addresses", {"fate": "bounces"})
        await mail.ses("PUT", f"/identities/{of['mail-from'].domain}", {"mail_from_status": "FAILED"})
        for reader in of["suppression"].new + of["suppression"].old:
            self.ses.put_suppressed_destination(
                EmailAddress=reader, Reason="BOUNCE", TenantName=of["suppression"].key
            )
        await mail.ses("POST", "/faults", {"fault": "untagged_events", "tenant": of["untagged"].key})

    async def hosts(self, slug: str, fate: dict[str, Any]) -> None:
        """What receiving hosts do with mail of this SES tenant, and with no other."""
        each = self.of[slug]
        await self.mail.ses("PUT", f"/mailboxes/*@{slug}-readers.example", {**fate, "tenant": each.key})


@pytest.mark.crash
@pytest.mark.timeout(900)
async def test_each_defect_goes_back_at_one_percent_and_is_named(mail: Traffic, ses: Any) -> None:
    moves = Moves(mail, ses, (*DEFECTS, HEALTHY))
    await moves.on_two_paths()
    await moves.find_readers()
    await moves.start()
    before = await moves.send("before", 5)
    await moves.plant()
    first = await moves.send("first")
    for slug, each in moves.of.items():
        # Who is on the new path follows from tenant and recipient, so nobody changes from mailing to mailing.
        assert before[slug] == {SHARED: set(each.old[:5]), each.domain: set(each.new[:5])}
        # Some may have gone back while it left.
        assert first[slug].get(each.domain, set()) <= set(each.new)
    healthy = moves.of[HEALTHY]
    assert first[HEALTHY] == {SHARED: set(healthy.old), healthy.domain: set(healthy.new)}
    # What is missing is known to be missing then, and domains are looked at again.
    await mail.shift_clock(2 * HOUR)
    await mail.until(lambda: moves.seen_broken("mail-from"), "SES's word of the MAIL FROM was read")
    await mail.shift_clock(2 * HOUR + 5 * MINUTE)
    await moves.became_bad()

    async def went_on() -> bool:
        """Its gates let it, once all its events were read."""
        return (await mail.call("POST", f"{healthy.url}/advance", moves.go_on(healthy)))[0] == 200

    await mail.until(went_on, "the gates of the path without a defect pass")
    await mail.until(
        partial(moves.shown, HEALTHY, state="running", share=5), "the path without a defect went on"
    )
    after = await moves.send("after", 5)
    for slug in DEFECTS:
        assert set(after[slug]) <= {SHARED}  # what bounced is suppressed
    assert after[HEALTHY] == {SHARED: set(healthy.old[:5]), healthy.domain: set(healthy.new[:5])}
