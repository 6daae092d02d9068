"""The environment of each child process: only the settings and credentials that it needs."""

from collections.abc import Mapping

from mailcordon import config as configs
from mailcordon.config import Config

_NOT_OF_A_ROLE = ("MAILCORDON_DATABASE_URL", "MAILCORDON_TEST", "MAILCORDON_SES_WORLD")


def plain_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Ours without settings and AWS credentials."""
    return {name: value for name, value in environ.items() if not name.startswith(("MAILCORDON_", "AWS_"))}


def role_environment(environ: Mapping[str, str], role: str, config: Config) -> dict[str, str]:
    """One role's settings: the operator's, what we found out, and only the database addresses of this role."""
    settings = {
        name: value
        for name, value in environ.items()
        if name in configs.KNOWN and not name.startswith(_NOT_OF_A_ROLE)
    }
    found: dict[str, str | None] = {
        "MAILCORDON_HOME": str(config.home),
        "MAILCORDON_SES": config.ses,
        "MAILCORDON_SES_ENDPOINT": config.ses_endpoint,
        "MAILCORDON_SQS_ENDPOINT": config.sqs_endpoint,
        "MAILCORDON_OUTCOME_QUEUE_URL": config.outcome_queue_url,
        "MAILCORDON_ENGAGEMENT_QUEUE_URL": config.engagement_queue_url,
        "MAILCORDON_MANAGEMENT_QUEUE_URL": config.management_queue_url,
        "MAILCORDON_METRICS_PORT": _metrics_port(config, role),
        "MAILCORDON_SECRET_KEYS": ",".join(config.secret_keys),
        "MAILCORDON_DNS_SERVERS": ",".join(f"[{host}]:{port}" for host, port in config.dns_servers),
        **{configs.login_setting(login): config.login_url(login) for login in configs.PROCESS_LOGINS[role]},
    }
    base = plain_environment(environ)
    if role not in ("api", "smtp", "dashboard") and (
        not config.local or config.profiles
    ):  # these call nothing of AWS
        base |= {name: value for name, value in environ.items() if name.startswith("AWS_")}
    return base | settings | {name: value for name, value in found.items() if value}


def _metrics_port(config: Config, role: str) -> str | None:
    port = None if config.metrics is None else config.metrics.port_of(role)
    return None if port is None else str(port)
