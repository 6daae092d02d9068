"""What `mailcordon up` prints once everything runs: where things are, and lines that can be pasted as they stand."""

import shlex
import sys

from mailcordon.config import Config
from mailcordon.run.supervisor import Addresses


def text(addresses: Addresses, config: Config) -> str:
    cli = _command()
    lines = [
        "",
        "Mailcordon is up.",
        f"  API          {addresses.api}   (OpenAPI: {addresses.api}/openapi.json)",
    ]
    if addresses.ses:
        lines.append(f"  local SES    {addresses.ses}   (what was sent: {addresses.ses}/_seslocal/sent)")
    else:
        lines.append(f"  SES          Amazon, {config.region}")
    lines += [
        f"  home         {config.home}   (logs in log/, the CLI's key in cli.json)",
        "",
        "Bring in a tenant, send, and ask why:",
        f"  {cli} tenant onboard acme --type password-reset=mail.acme.example",
        f"  curl -sS {addresses.api}/v1/messages -H 'Authorization: Bearer {addresses.key}' \\",
        "    -H 'Content-Type: application/json' -H 'Idempotency-Key: first' \\",
        '    -d \'{"tenant": "acme", "type": "password-reset", "from": "hello@mail.acme.example",',
        '         "to": ["kim@example.com"], "subject": "Your new password", "text": "Here it is."}\'',
        f"  {cli} why kim@example.com --tenant acme",
    ]
    if addresses.ses:
        lines += [
            "",
            "Make a mail bounce: send it to bounce@simulator.amazonses.com, or decide what becomes of an address:",
            f'  curl -sS -X PUT {addresses.ses}/_seslocal/mailboxes/kim@example.com -d \'{{"fate": "bounces"}}\'',
            f"  {cli} sent",
            "",
            "Speak to the local SES as an app of yours would:",
            f'  ses = boto3.client("sesv2", endpoint_url="{addresses.ses}", region_name="{config.region}",',
            '                     aws_access_key_id="test", aws_secret_access_key="test")',
        ]
    return "\n".join([*lines, "", "Ctrl-C stops it, and so does `" + cli + " down`."])


def _command() -> str:
    """How this command line was started, as one would type it again."""
    first = sys.argv[0]
    if first.endswith("__main__.py"):
        return "./dev mailcordon"
    return shlex.quote(first.rpartition("/")[2] or "mailcordon")
