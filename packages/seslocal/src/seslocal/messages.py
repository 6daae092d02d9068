"""The sentences that `python -m seslocal` prints: one function for each. Help texts stay with their options in `__main__`."""

from __future__ import annotations


def ready(url: str, region: str) -> str:
    """Printed once the server listens."""
    return (
        f"seslocal is ready at {url} (SES v2, SES v1, SNS, SQS).\n"
        f"Open {url} in a browser to read the mail.\n"
        "\n"
        "    import boto3\n"
        f'    ses = boto3.client("sesv2", endpoint_url="{url}",\n'
        f'                       region_name="{region}",\n'
        '                       aws_access_key_id="test",\n'
        '                       aws_secret_access_key="test")\n'
        "\n"
        f"List the mail that was sent: curl {url}/_seslocal/sent"
    )


def dns_ready(host: str, port: int) -> str:
    """Printed after `ready` when the DNS server runs."""
    return f"Query its DNS: dig @{host} -p {port} NAME"


def failed(what: str) -> str:
    """How every failure on standard error begins."""
    return f"seslocal: {what}"


def cannot_listen(host: str, port: int, reason: str | None) -> str:
    """The port is taken, or the address is not one of this machine."""
    return failed(
        f"cannot listen on {host}:{port}: {reason}. Choose another with --port, or 0 for a free one."
    )


def scenario_refused(path: str, reason: str) -> str:
    """A step of the scenario file is invalid."""
    return failed(f"invalid scenario {path}: {reason}")


def not_like(text: str, expected: str) -> str:
    """The value of an option has the wrong form."""
    return f"{text!r} is not {expected}"


def dns_is_not_installed() -> str:
    """`--strict`, `--dns-port` or a DNS record was given and dnspython is missing."""
    return 'DNS needs the package dnspython: pip install "seslocal[dns]"'
