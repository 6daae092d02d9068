"""One question to one name server, by dnspython. Imported with the first look-up: it takes a tenth of a second."""

from collections.abc import Iterable
from typing import cast

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdtypes.ANY.CNAME import CNAME
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.SOA import SOA
from dns.rdtypes.ANY.TXT import TXT

from mailcordon.adapters.dns.reply import NO_ANSWER, NoReply, Reply, Server
from mailcordon.control.authentication.lookup import RecordType

PAYLOAD = 1232  #: bytes of a UDP answer, as the DNS flag day of 2020 recommends; larger ones come over TCP
MOST_RECORDS = 64  #: of one answer; a domain with more of one type has no use for us


async def ask(server: Server, name: str, type: RecordType, *, recursive: bool, seconds: float) -> Reply:
    """Over UDP, and over TCP if the answer is truncated. Raises NoReply."""
    try:
        # `is a name` in the DNS allows much; what does not fit into a packet is no name.
        query = dns.message.make_query(name + ".", type, use_edns=0, payload=PAYLOAD)
    except (dns.exception.DNSException, ValueError, UnicodeError):
        raise NoReply("not a name of the DNS", final=True) from None
    if not recursive:
        query.flags &= ~dns.flags.RD
    try:
        response, _ = await dns.asyncquery.udp_with_fallback(
            query,
            server.address,
            timeout=seconds,
            port=server.port,
            ignore_unexpected=True,
            ignore_errors=True,
        )
    except dns.exception.Timeout:
        raise NoReply(NO_ANSWER) from None
    except EOFError:
        raise NoReply(f"{server.address} closed the connection over TCP") from None
    except OSError:
        raise NoReply(f"{server.address} cannot be reached") from None
    except (dns.exception.DNSException, ValueError):
        raise NoReply(f"{server.address} sent what is no answer") from None
    return _reply(response, query.question[0].name, type)


def _reply(response: dns.message.Message, name: dns.name.Name, type: RecordType) -> Reply:
    code = response.rcode()
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise NoReply(dns.rcode.to_text(code), final=True)
    found = response.get_rrset(response.answer, name, dns.rdataclass.IN, dns.rdatatype.from_text(type))
    alias = response.get_rrset(response.answer, name, dns.rdataclass.IN, dns.rdatatype.CNAME)
    if found is not None and len(found) > MOST_RECORDS:
        raise NoReply(f"more than {MOST_RECORDS} records", final=True)
    answered = found if found is not None else alias
    return Reply(
        exists=code == dns.rcode.NOERROR,
        records=_texts(found) if found is not None else (),
        alias=_alias(alias) if found is None and alias is not None else None,
        authoritative=bool(response.flags & dns.flags.AA),
        recursed=bool(response.flags & dns.flags.RA),
        ttl=answered.ttl if answered is not None else None,
    )


def _records(found: dns.rrset.RRset) -> list[dns.rdata.Rdata]:
    return list(cast("Iterable[dns.rdata.Rdata]", found))  # dnspython's sets have no type for what they hold


def _texts(found: dns.rrset.RRset) -> tuple[str, ...]:
    return tuple(_text(record) for record in _records(found))


def _alias(found: dns.rrset.RRset) -> str | None:
    record = _records(found)[0]
    return _name(record.target) if isinstance(record, CNAME) else None


def _text(record: dns.rdata.Rdata) -> str:
    match record:
        case TXT():
            strings: tuple[bytes, ...] = record.strings
            return b"".join(strings).decode("latin-1")
        case MX():
            return f"{record.preference} {_name(record.exchange)}"
        case SOA():
            return f"{_name(record.mname)} {_name(record.rname)} {record.serial}"
        case _:
            return record.to_text().removesuffix(".").lower()  # addresses, and the name of CNAME, NS and PTR


def _name(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
