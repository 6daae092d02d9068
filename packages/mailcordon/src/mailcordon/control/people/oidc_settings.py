"""What an installation is told of its OpenID provider."""

from dataclasses import dataclass, field

from mailcordon.control.people.roles import RoleMap


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """Each field has its default and the reason for it. The settings are MAILCORDON_OIDC_* (docs/sign-in.md)."""

    #: As the provider's discovery document has it, character by character.
    issuer: str
    client_id: str
    #: None: a public client. PKCE protects the code in either case.
    client_secret: str | None = field(default=None, repr=False)
    #: What is asked for. `email` names the person. Most providers send groups without a scope of their own; some want `groups`.
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    #: The claim that names the person in the audit trail. An e-mail address is what colleagues know.
    person_claim: str = "email"
    #: The claim that gives the role, and its values.
    roles: RoleMap
