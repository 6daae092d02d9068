"""How drills make their tenants: created, and set up at the local SES."""

from mailcordon.adapters.cli import duration
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.document import child, children
from mailcordon.adapters.cli.drill.checks import NEWS, RESET, Checks, Sender, Wrong
from mailcordon.adapters.cli.text import plain
from mailcordon.messages import drill as messages

PATIENCE = 20.0  #: seconds; the control role makes about ten SES calls for each tenant


async def create(checks: Checks, slug: str, *, dedicated: bool = False) -> Sender:
    types = {RESET: f"mail.{slug}.example", NEWS: f"news.{slug}.example"}
    body = {"slug": slug, "types": types, "dedicated": dedicated}
    made = await checks.api.post(path("tenants"), body)
    return Sender(slug=slug, key=str(made["key"]))


async def set_up(checks: Checks, sender: Sender) -> None:
    """Waits until its parts at SES are there. Raises Wrong."""

    async def done() -> bool | None:
        tenant = await checks.api.get(path("tenants", sender.slug))
        return child(tenant, "provisioning").get("done") or None

    async def otherwise() -> str:
        tenant = await checks.api.get(path("tenants", sender.slug))
        steps = children(child(tenant, "provisioning"), "steps")
        open_ = [step for step in steps if step.get("state") != "done"]
        names = [plain(open_[0].get(name)) for name in ("kind", "name", "detail")] if open_ else []
        return messages.set_up_takes_too_long(
            tenant=sender.slug, waited=duration.spoken(PATIENCE), step=" ".join(names)
        )

    await checks.eventually(done, otherwise, PATIENCE)


async def check_local(checks: Checks, sender: Sender) -> None:
    """Raises Wrong unless the local SES has the tenant: no mail of a drill may go to another SES, whatever our records say."""
    if not await checks.ses.has_tenant(sender.key):
        raise Wrong(messages.set_up_at_another_ses(tenant=sender.slug, url=checks.ses.url))
