"""What `mailcordon identity check` prints."""

from mailcordon.adapters.cli.commands import identity_checks


def test_a_record_that_mends_several_faults_is_listed_once() -> None:
    dmarc = {"type": "TXT", "name": "_dmarc.acme.example", "value": "v=DMARC1; p=none"}
    exchange = {"type": "MX", "name": "bounce.acme.example", "value": "10 a.example"}
    assert identity_checks.once([dmarc, exchange, dict(dmarc)]) == [dmarc, exchange]
