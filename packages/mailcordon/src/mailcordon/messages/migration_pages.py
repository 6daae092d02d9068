"""What the dashboard says of migrations, IP pools and the audit trail."""

from collections.abc import Sequence

from mailcordon.messages.catalogue import example
from mailcordon.messages.phrases import at_least


@example(shared=True)
@example(shared=False)
def no_rollout_yet(*, shared: bool) -> str:
    """There is no rollout."""
    if shared:
        return "No rollout fits. Lanes that have a shared path and their own can begin one."
    return "No tenant has a shared path, so there is nothing to move."


@example(3, 1)
@example(0, 0)
@example(100, 0, more=True)
def rollouts_are(count: int, back: int, *, more: bool = False) -> str:
    """The sentence on top of the page of rollouts. `more`: others were not counted."""
    if not count:
        return "No rollout is under way."
    said = f"{at_least(count, more)} {'rollout is' if count == 1 else 'rollouts are'} under way"
    return f"{said}; {at_least(back, more)} went back to the old path." if back else f"{said}."


@example()
def freezes_do() -> str:
    """What a freeze is."""
    return "While a freeze lasts no share grows. A way back is never frozen."


@example()
def mail_moves_back() -> str:
    """Waiting mail is being moved back."""
    return "Mail that waits is being moved to the old path."


@example("acme", ["newsletter"], 1, 5)
def will_advance(tenant: str, types: Sequence[str], share: int, following: int) -> str:
    """The preview of advancing a rollout."""
    return (
        f"{following} % instead of {share} % of the recipients of {tenant}'s {', '.join(types)} get their mail over the new "
        "path. A breach of a gate takes it back by itself. Other tenants are left alone."
    )


@example(["time", "mails"])
def overrides_pass(keys: Sequence[str]) -> str:
    """What an advance overrides."""
    return f"These will not keep it: {', '.join(keys)}. Who let them pass and why is kept."


@example("acme", ["newsletter"], 5)
def will_hold_rollout(tenant: str, types: Sequence[str], share: int) -> str:
    """The preview of holding a rollout."""
    return (
        f"{tenant}'s {', '.join(types)} stays at {share} % on the new path until somebody lets it go on. A breach still goes "
        "back."
    )


@example("acme", ["newsletter"], 5)
def will_take_back(tenant: str, types: Sequence[str], share: int) -> str:
    """The preview of taking a rollout back."""
    return (
        f"All new mail of {tenant}'s {', '.join(types)} takes the old path at once, and what waits for the new one is moved. "
        f"Now {share} % takes the new path. What has left is not recalled."
    )


@example("acme", ["newsletter"], 100)
def will_finish_rollout(tenant: str, types: Sequence[str], share: int) -> str:
    """The preview of finishing a rollout."""
    return (
        f"A plan is made that drops the old path of {tenant}'s {', '.join(types)}, of which {share} % takes the new one. Nothing "
        "changes until that plan is applied; after it there is no way back."
    )


@example("acme", ["newsletter"], 0)
def will_cancel_rollout(tenant: str, types: Sequence[str], share: int) -> str:
    """The preview of giving up a rollout."""
    return f"The rollout of {tenant}'s {', '.join(types)} ends. It must have no mail on the new path; now it has {share} %."


@example("acme", 4)
@example(None, 4)
def will_freeze(tenant: str | None, days: int) -> str:
    """The preview of a freeze."""
    whose = f"the rollouts of {tenant}" if tenant else "all rollouts"
    return (
        f"For {days} {'day' if days == 1 else 'days'} no share of {whose} grows. A way back is never frozen."
    )


@example("acme")
@example(None)
def will_unfreeze(tenant: str | None) -> str:
    """The preview of ending a freeze."""
    return f"The shares of {f'the rollouts of {tenant}' if tenant else 'all rollouts'} may grow again, by their own gates."


@example("2026-11-30")
def advice_is(prices_of: str) -> str:
    """What the list of the fleet shows."""
    return (
        "Risk is a tenant's share of everything that went badly over its share of the mail: 1 is as all others. The riskiest "
        f"come first. They are counted each hour, by whole days in UTC: today's mail is not in them. Prices are of {prices_of}."
    )


@example(3, 1)
def pools_are(count: int, troubled: int) -> str:
    """The sentence on top of the page of IP pools."""
    said = f"{count} {'pool' if count == 1 else 'pools'}"
    return f"{said}, {troubled} of them with trouble." if troubled else f"{said}, all well."


@example()
def no_pool() -> str:
    """There is no IP pool."""
    return "There is no IP pool: all mail leaves from SES's shared addresses."


@example()
def pool_is_shared() -> str:
    """Several tenants' mail leaves from one pool."""
    return "These tenants share the reputation of the pool's addresses."


@example("acme", "marketing", "bulk")
def will_add_to_pool(tenant: str, class_: str, pool: str) -> str:
    """The preview of adding a tenant to an IP pool."""
    return (
        f"The {class_ or 'fitting'} mail of {tenant} leaves from the addresses of {pool}, and shares them with its other "
        "tenants."
    )


@example("acme", "marketing", "bulk")
def will_remove_from_pool(tenant: str, class_: str, pool: str) -> str:
    """The preview of removing a tenant from an IP pool."""
    return f"The {class_ or 'fitting'} mail of {tenant} leaves from SES's shared addresses again, not from {pool}."


@example("bulk", managed=True)
@example("receipts", managed=False)
def will_delete_pool(pool: str, *, managed: bool) -> str:
    """The preview of deleting an IP pool."""
    then = " SES gives its addresses back." if managed else ""
    return (
        f"{pool} is deleted here, and then at SES. No mail may leave from it, and no plan may name it.{then}"
    )


@example()
def makes_a_plan() -> str:
    """The action makes a plan, which somebody applies."""
    return "This makes a plan. Nothing changes until it is applied, on the page that comes next."


@example(1204)
def audit_chain(newest: int) -> str:
    """What proves the trail, of all tenants."""
    return (
        f"Each row has its place in a chain of hashes; the newest here is {newest:,}. Whoever changes or removes a row breaks "
        "the chain, and checkpoints outside of the database show it even to a superuser of the database. `mailcordon doctor` "
        "looks at the end of the chain, and this reads all of it:"
    )


@example("acme")
def audit_proof(tenant: str) -> str:
    """What proves the rows of one tenant."""
    return (
        f"{tenant} can take its rows with the proof that they are as they were written. Of other rows the proof has digests "
        "only, which tell nothing. `mailcordon audit verify --export FILE` checks it anywhere."
    )
