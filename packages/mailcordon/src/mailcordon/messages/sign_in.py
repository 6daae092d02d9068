"""Signing in to the dashboard: why somebody is not let in, and what becomes of sessions and links."""

from mailcordon.messages import example, phrases


@example()
def no_sign_out_at_provider() -> str:
    """The OpenID provider publishes no place to sign out."""
    return (
        "You are signed out here. Your organisation's sign-in service publishes no way to sign out of it: "
        "do that at the service itself"
    )


@example()
def not_signed_in() -> str:
    """A page is asked for without a session (401)."""
    return "You are not signed in."


@example()
def session_ended() -> str:
    """A page is asked for with a session that ended: by time, by signing out, by an admin, or because its role is gone (401)."""
    return "Your session has ended. Sign in again."


@example()
def link_unusable() -> str:
    """A one-time link to sign in was used already, was revoked, is too old or never existed (401)."""
    return (
        "This link cannot be used: it works once, for 10 minutes. Whoever gave it to you can make a new one: "
        "`mailcordon sign-in --person NAME`."
    )


@example()
def view_link_unusable() -> str:
    """A tenant's view link has ended, was revoked or never existed (401)."""
    return "This link does not work any more: it has ended or was revoked. Ask whoever gave it to you for a new one."


@example(["viewer", "operator", "admin"])
def bad_role(roles: list[str]) -> str:
    """A sign-in link is to give an unknown role."""
    return f"must be one of {', '.join(roles)}"


@example(30)
def bad_end_of_view_link(days: int) -> str:
    """A view link is to end in the past, or too late."""
    return f"must be a time in the next {days} days"


@example("k7pq2m9d")
def no_session(prefix: str) -> str:
    """A session that is named does not exist (404)."""
    return f"There is no session {prefix}. `mailcordon session list` shows all."


@example("k7pq2m9d")
def no_sign_in_link(prefix: str) -> str:
    """A sign-in link that is named does not exist (404)."""
    return f"There is no sign-in link {prefix}."


@example("k7pq2m9d")
def no_view_link(prefix: str) -> str:
    """A view link that is named does not exist (404)."""
    return f"There is no view link {prefix} of this tenant. `mailcordon view-link list TENANT` shows all."


@example(100)
def too_many_sign_in_links(most: int) -> str:
    """A sign-in link is asked for while many wait for their use (409)."""
    return f"{most} sign-in links can be used now, which is the most there may be. They end 10 minutes after they were made."


@example("acme", 20)
def too_many_view_links(tenant: str, most: int) -> str:
    """A view link is asked for, and the tenant has the most there may be (409)."""
    shown = f"`mailcordon view-link list {tenant}`"
    return f"{tenant} has {most} view links that work, which is the most there may be. Revoke one of {shown}."


@example()
def state_unknown() -> str:
    """A browser comes back from the OpenID provider with a state that it did not leave with, a second time, or too late (403)."""
    return (
        "This answer of the sign-in service belongs to no sign-in that this browser began in the last 10 minutes, "
        "or it was used already. Begin again."
    )


# What the OpenID provider said --------------------------------------------------------------------------------------------------


@example("kim@example.com", "groups")
@example("kim@example.com", "realm_access.roles")
def no_role(person: str, claim: str) -> str:
    """The OpenID provider knows somebody, and no value of the claim gives them a role (403)."""
    return (
        f"{person} is known, but may not use this dashboard: nothing in the claim {claim} gives a role here. "
        "Ask whoever runs Mailcordon here to add you to a group that does, then sign in again."
    )


@example("email")
def no_name(claim: str) -> str:
    """The OpenID provider identifies somebody without the claim that names them, or with one that cannot be a name (403)."""
    return f"The sign-in service did not say who you are: the claim {claim} is missing or is no name."


@example("kim@example.com")
def email_not_verified(person: str) -> str:
    """The OpenID provider says that an address is not verified: anybody could have typed it (403)."""
    return f"The sign-in service says that the address {person} is not verified. Verify it there and sign in again."


@example("access_denied")
def provider_refused(error: str) -> str:
    """The OpenID provider sent the browser back with an error (403)."""
    return f"The sign-in service did not let you in: {error}. Try again, or ask whoever runs it."


@example("its discovery document names another issuer")
def provider_unusable(problem: str) -> str:
    """The OpenID provider does not respond, or not as OpenID Connect says (503)."""
    return (
        f"The sign-in service cannot be used now: {problem}. Try again in a minute. "
        "An admin can let you in without it: `mailcordon sign-in --person NAME`."
    )


@example("the signature is not valid")
def answer_refused(problem: str) -> str:
    """What the OpenID provider's answer says of a person is not proved (403)."""
    return f"The sign-in service's answer was not accepted: {problem}. Begin again."


@example(30)
def too_many_attempts(seconds: int) -> str:
    """An address tried to sign in too often (429)."""
    return (
        f"There were too many attempts to sign in from your address. Wait {phrases.count(seconds, 'second')}."
    )


# What forms and cookies say -----------------------------------------------------------------------------------------------------


@example()
def form_refused() -> str:
    """A form was not sent from its own page: its token is missing or of another session, or another site sent it (403)."""
    return "This form did not come from its own page, or your session changed since. Reload the page and try again."


# What the command line says -----------------------------------------------------------------------------------------------------


@example("kim@example.com", "operator")
def link_made(person: str, role: str) -> str:
    """`sign-in` has made a link."""
    return f"With this link {person} signs in as {role}, once, in the next 10 minutes:"


@example()
def no_dashboard_url() -> str:
    """`sign-in` or `view-link create` has made a link, and nobody has told the server where the dashboard is."""
    return "The dashboard's address is not known here, so put it before the link. The server's MAILCORDON_DASHBOARD_URL names it."


@example()
def how_to_revoke_link() -> str:
    """`sign-in` says how to undo it."""
    return "Whoever opens it first is in. To end a session: `mailcordon session list`, then `mailcordon session end PREFIX`."


@example("k7pq2m9d", None)
@example(None, "kim@example.com")
def end_question(prefix: str | None, person: str | None) -> str:
    """`session end` asks."""
    if prefix is not None:
        return f"End the session {prefix}?"
    return f"End all sessions of {person}, and revoke their unused links to sign in?"


@example(1, "kim@example.com")
@example(0, "kim@example.com")
def sessions_ended(number: int, person: str) -> str:
    """`session end` is done."""
    return f"Ended {phrases.count(number, 'session')} of {person}."


@example("acme", "in 7 days")
def view_link_made(tenant: str, ends: str) -> str:
    """`view-link create` has made a link."""
    return f"Whoever has this link can read what concerns {tenant}, until it ends ({ends}). It is shown once:"


@example("acme", "k7pq2m9d")
def how_to_revoke_view_link(tenant: str, prefix: str) -> str:
    """`view-link create` says how to undo it."""
    return f"To end it before: `mailcordon view-link revoke {tenant} {prefix}`."


@example("acme", "k7pq2m9d")
def revoke_question(tenant: str, prefix: str) -> str:
    """`view-link revoke` asks."""
    return f"Revoke the view link {prefix} of {tenant}? Its pages are refused from then on."


# What is wrong with settings ----------------------------------------------------------------------------------------------------


@example("MAILCORDON_OIDC_ISSUER", "MAILCORDON_DASHBOARD_URL")
def oidc_needs(name: str, other: str) -> str:
    """A setting of the OpenID provider is there without one that it needs."""
    return f"{name} is set without {other}: signing in by OpenID Connect needs both."


@example()
def oidc_scopes_without_openid() -> str:
    """The scopes that the OpenID provider is asked for make no OpenID request."""
    return "MAILCORDON_OIDC_SCOPES must have openid among its scopes."


@example()
def oidc_gives_nobody_a_role() -> str:
    """There is an OpenID provider, and no value of a claim gives a role: nobody could sign in."""
    return (
        "MAILCORDON_OIDC_ISSUER is set, and nobody would get a role: name groups in MAILCORDON_OIDC_VIEWERS, "
        "MAILCORDON_OIDC_OPERATORS or MAILCORDON_OIDC_ADMINS."
    )


@example("a URL that begins with https:// and has no query (http:// for this machine only)")
def bad_issuer(takes: str) -> str:
    """The OpenID provider's URL would be asked without TLS, or is no issuer."""
    return f"MAILCORDON_OIDC_ISSUER is not valid: it takes {takes}."


@example("MAILCORDON_OIDC_ADMINS", "values of the claim, separated by commas")
def bad_groups(name: str, takes: str) -> str:
    """Groups of a role are too long, or have characters that cannot be printed."""
    return f"{name} is not valid: it takes {takes}."


@example("k7pq2m9d")
def revoke_link_question(prefix: str) -> str:
    """Asks before `mailcordon session revoke-link` does it."""
    return f"Revoke link {prefix}?"


@example("kim@example.com")
def link_revoked(person: str) -> str:
    """A link to sign in was revoked."""
    return f"The link of {person} lets nobody in any more."
