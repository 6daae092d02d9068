"""Whom an OpenID provider's claims describe, or why they are not let in."""

from collections.abc import Mapping
from typing import Any

from mailcordon.control.people.oidc_settings import OidcSettings
from mailcordon.control.people.sessions import Person
from mailcordon.core import names
from mailcordon.core.errors import Forbidden
from mailcordon.messages import sign_in as messages

_LONGEST_SUBJECT = 255  #: characters (OpenID Connect Core 1.0, 2)


def person_of(claims: Mapping[str, Any], settings: OidcSettings) -> Person:
    """Raises Forbidden, with a sentence for the page, if nobody is named or no value gives a role."""
    said = claims.get(settings.person_claim)
    try:
        name = names.holder(said if isinstance(said, str) else "")
    except ValueError:
        raise Forbidden(messages.no_name(settings.person_claim), code="no-name") from None
    # Absent, it is up to the provider: it asserts only addresses that it knows. False: the person has typed it.
    if settings.person_claim == "email" and claims.get("email_verified", True) not in (True, "true"):
        raise Forbidden(messages.email_not_verified(name), code="email-not-verified")
    subject = claims.get("sub")
    if not isinstance(subject, str) or len(subject) > _LONGEST_SUBJECT or not subject.isprintable():
        raise Forbidden(messages.no_name("sub"), code="no-name")
    values = settings.roles.matching(claims)
    role = settings.roles.role_of(values)
    if role is None:
        raise Forbidden(messages.no_role(name, settings.roles.claim), code="no-role")
    return Person(name=name, role=role, way="oidc", subject=subject, values=tuple(values))
