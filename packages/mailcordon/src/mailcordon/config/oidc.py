"""The settings of signing in: sessions, and an OpenID provider (docs/sign-in.md)."""

from urllib.parse import urlsplit

from mailcordon.config.setting_reader import SettingReader
from mailcordon.control.people.oidc_settings import OidcSettings
from mailcordon.control.people.roles import LONGEST_VALUE, Role, RoleMap
from mailcordon.control.people.sessions import Lifetimes
from mailcordon.messages import sign_in

NAMES = (
    "MAILCORDON_SESSION_IDLE_MINUTES",
    "MAILCORDON_SESSION_HOURS",
    "MAILCORDON_OIDC_RECHECK_MINUTES",
    "MAILCORDON_OIDC_ISSUER",
    "MAILCORDON_OIDC_CLIENT_ID",
    "MAILCORDON_OIDC_CLIENT_SECRET",
    "MAILCORDON_OIDC_SCOPES",
    "MAILCORDON_OIDC_PERSON_CLAIM",
    "MAILCORDON_OIDC_ROLE_CLAIM",
    "MAILCORDON_OIDC_VIEWERS",
    "MAILCORDON_OIDC_OPERATORS",
    "MAILCORDON_OIDC_ADMINS",
)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_CLAIM = r"[!-~]{1,200}"
_CLAIM_IN_WORDS = "the name of a claim, such as groups, with dots for claims within a claim"
_ISSUER_IN_WORDS = "a URL that begins with https:// and has no query (http:// for this machine only)"
_GROUPS_IN_WORDS = f"values of the claim, 1 to {LONGEST_VALUE} characters each, separated by commas"


def lifetimes(reader: SettingReader) -> Lifetimes:
    default = Lifetimes()
    minutes = reader.number("MAILCORDON_SESSION_IDLE_MINUTES", default.idle // 60, 1, 10_080)
    hours = reader.number("MAILCORDON_SESSION_HOURS", default.absolute // 3600, 1, 168)
    recheck = reader.number("MAILCORDON_OIDC_RECHECK_MINUTES", default.recheck // 60, 5, 10_080)
    return Lifetimes(idle=minutes * 60, absolute=hours * 3600, recheck=recheck * 60)


def provider(reader: SettingReader, dashboard_url: str | None) -> OidcSettings | None:
    """None without an OpenID provider: people sign in by links then."""
    scopes = reader.patterns("MAILCORDON_OIDC_SCOPES", r"[!#-\[\]-~]{1,100}", "names of scopes") or (
        "openid",
        "email",
        "profile",
    )
    secret = reader.secret(
        "MAILCORDON_OIDC_CLIENT_SECRET", r"[ -~]{1,1000}", "1 to 1000 printable characters"
    )
    person = reader.pattern("MAILCORDON_OIDC_PERSON_CLAIM", _CLAIM, _CLAIM_IN_WORDS, "email")
    claim = reader.pattern("MAILCORDON_OIDC_ROLE_CLAIM", _CLAIM, _CLAIM_IN_WORDS, "groups")
    values = {role: _groups(reader, f"MAILCORDON_OIDC_{role.name}S") for role in Role}
    client = reader.pattern("MAILCORDON_OIDC_CLIENT_ID", r"[ -~]{1,500}", "1 to 500 printable characters", "")
    issuer = _issuer(reader)
    if issuer is None:
        if client:
            reader.wrong.append(sign_in.oidc_needs("MAILCORDON_OIDC_CLIENT_ID", "MAILCORDON_OIDC_ISSUER"))
        return None
    if not client:
        reader.wrong.append(sign_in.oidc_needs("MAILCORDON_OIDC_ISSUER", "MAILCORDON_OIDC_CLIENT_ID"))
    if dashboard_url is None:
        reader.wrong.append(sign_in.oidc_needs("MAILCORDON_OIDC_ISSUER", "MAILCORDON_DASHBOARD_URL"))
    if "openid" not in scopes:
        reader.wrong.append(sign_in.oidc_scopes_without_openid())
    if not any(values.values()):
        reader.wrong.append(sign_in.oidc_gives_nobody_a_role())
    return OidcSettings(
        issuer=issuer,
        client_id=client,
        client_secret=secret,
        scopes=scopes,
        person_claim=person,
        roles=RoleMap(claim=claim, values=values),
    )


def _issuer(reader: SettingReader) -> str | None:
    issuer = reader.url("MAILCORDON_OIDC_ISSUER")
    if issuer is None or not issuer.startswith(("http://", "https://")):
        return issuer
    parts = urlsplit(issuer)
    secure = parts.scheme == "https" or parts.hostname in _LOOPBACK
    if not secure or parts.query or parts.fragment or parts.username is not None:
        reader.wrong.append(sign_in.bad_issuer(_ISSUER_IN_WORDS))
    return issuer


def _groups(reader: SettingReader, name: str) -> frozenset[str]:
    """Names of groups may have spaces: only commas separate them."""
    found = [one.strip() for one in reader.environ.get(name, "").split(",") if one.strip()]
    if any(len(one) > LONGEST_VALUE or not one.isprintable() for one in found):
        reader.wrong.append(sign_in.bad_groups(name, _GROUPS_IN_WORDS))
    return frozenset(found)
