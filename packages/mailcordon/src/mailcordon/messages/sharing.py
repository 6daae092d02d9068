"""What the lanes of a tenant share with each other and with other tenants."""

from mailcordon.messages import example, phrases


def _sharing(types: list[str], others: bool) -> str:
    return f"shared with {phrases.listed(types)}" if others else phrases.listed(types)


@example("mail.acme.example", ["invoice", "receipt"])
@example("mail.acme.example", ["receipt"], others=True)
def domain_shared(domain: str, types: list[str], *, others: bool = False) -> str:
    """Several lanes of a tenant send from one domain. `others`: said of one lane, the types are the other lanes."""
    return f"domain {domain} and its reputation: {_sharing(types, others)}"


@example("acme.example", "news.acme.example", "newsletter")
def parent_domain_shared(domain: str, other: str, type: str) -> str:
    """One lane's domain is above or below another's."""
    return f"parent domain: some mailbox providers treat {domain} and {other} ({type}) as one"


@example("mc-k3m8p2q7r4s9", ["invoice", "newsletter"])
@example("mc-k3m8p2q7r4s9", ["newsletter"], others=True)
def ses_tenant_shared(name: str, types: list[str], *, others: bool = False) -> str:
    """Several lanes use one SES tenant."""
    return f"SES tenant {name}: {_sharing(types, others)}; when SES pauses it, all of them stop"


@example("mc-marketing", "marketing")
def configuration_set_of_class(name: str, class_: str) -> str:
    """A lane uses the configuration set of its class."""
    return f"configuration set {name}: shared with the {class_} lanes of other tenants"


@example("mc-k3m8p2q7r4s9-marketing", ["announcement", "newsletter"])
@example("mc-k3m8p2q7r4s9-marketing", ["newsletter"], others=True)
def configuration_set_shared(name: str, types: list[str], *, others: bool = False) -> str:
    """Several lanes use one dedicated configuration set."""
    return f"configuration set {name}: {_sharing(types, others)}"


@example("mc-marketing", ["announcement", "newsletter"])
def configuration_set_of_tenants(name: str, types: list[str]) -> str:
    """Lanes of a tenant use the configuration set of their class."""
    return f"configuration set {name}: {phrases.listed(types)}, and lanes of other tenants"


@example("pool-1", ["invoice"])
def ip_pool_shared(name: str, types: list[str]) -> str:
    """A lane uses the same dedicated IP pool as other lanes."""
    return f"IP pool {name}: {_sharing(types, True)}"


@example([])
@example(["invoice", "newsletter"])
def ip_pool_of_ses(types: list[str]) -> str:
    """Lanes use SES's shared IP addresses. Without types: said of one lane."""
    users = f"{phrases.listed(types)}, and" if types else "shared with"
    return f"SES's shared IP pool: {users} every other sender in the region"
