"""A name server for the records of the zone, over UDP and TCP on one port, so that any resolver can see what the local
SES sees. It is authoritative for every name: an unknown name does not exist. SES's own names, which records point to,
are included. Where identities verify without records, it answers as if the owners of verified domains had published them; what is
put into the zone wins."""

from __future__ import annotations

import asyncio
import base64
import struct
from collections.abc import Callable
from typing import Final, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from seslocal.dns.identity_records import exists_as_published, records_as_published
from seslocal.events.certificate import certificate
from seslocal.state.account import Account
from seslocal.state.name_faults import NameFault
from seslocal.state.zone import SOA, Record, folded

_MOST_HOPS: Final = 8  # from CNAME to CNAME
_PLAIN: Final = 512  # bytes of a UDP response, unless the query allows more
_IDLE: Final = 30.0  # seconds a TCP connection can be idle


class NameServer:
    """`account` returns the current account."""

    def __init__(self, account: Callable[[], Account]) -> None:
        self._account = account
        self.port = 0
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def listen(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        for tries in range(20):
            self._tcp = await asyncio.start_server(self._serve, host, port)
            self.port = self._tcp.sockets[0].getsockname()[1]
            try:
                self._udp, _ = await loop.create_datagram_endpoint(
                    lambda: _Datagrams(self), local_addr=(host, self.port)
                )
                return
            except OSError:
                # A free TCP port need not be a free UDP port.
                self._tcp.close()
                await self._tcp.wait_closed()
                if port or tries == 19:
                    raise

    async def close(self) -> None:
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
            for writer in list(self._open):
                writer.close()
            await self._tcp.wait_closed()

    def respond(self, question: bytes, *, over_udp: bool) -> tuple[bytes | None, float]:
        """Returns the response and the seconds to wait before it is sent. None: there is none."""
        try:
            query = dns.message.from_wire(question)
            response = dns.message.make_response(query)
        except (dns.exception.DNSException, ValueError):
            return _format_error(question), 0.0
        response.flags |= dns.flags.AA
        fault: NameFault | None = None
        if query.opcode() != dns.opcode.QUERY:
            response.set_rcode(dns.rcode.NOTIMP)
        elif len(query.question) != 1 or query.question[0].rdclass != dns.rdataclass.IN:
            response.set_rcode(dns.rcode.REFUSED)
        elif self._account().faults.use("dns_outage"):
            response.set_rcode(dns.rcode.SERVFAIL)
        elif fault := self._account().faults.names.at(query.question[0].name.to_text()):
            self._fail(response, fault, query.question[0].rdtype, over_udp=over_udp)
        else:
            self._fill(response, query.question[0].name, query.question[0].rdtype)
        if fault is not None and fault.no_tcp and not over_udp:
            return None, 0.0
        delay = 0.0 if fault is None else fault.delay
        most = max(_PLAIN, query.payload) if over_udp else 65535
        try:
            return response.to_wire(max_size=most), delay
        except dns.exception.TooBig:
            cut = dns.message.make_response(query)
            cut.flags |= dns.flags.TC | dns.flags.AA
            return cut.to_wire(), delay

    def _fail(self, response: dns.message.Message, fault: NameFault, kind: int, *, over_udp: bool) -> None:
        if fault.lame:
            response.flags &= ~dns.flags.AA
        elif fault.rcode is not None:
            response.set_rcode(dns.rcode.from_text(fault.rcode))
        elif fault.truncate and over_udp:
            response.flags |= dns.flags.TC
        else:
            self._fill(response, response.question[0].name, kind)

    def _fill(self, response: dns.message.Message, name: dns.name.Name, kind: int) -> None:
        wanted = dns.rdatatype.to_text(dns.rdatatype.RdataType.make(kind))
        for _ in range(_MOST_HOPS):
            records = self._records(folded(name.to_text()))
            found = [record for record in records if wanted in (record.type, "ANY")]
            alias = [record for record in records if record.type == "CNAME"]
            for record in found or alias:
                _add(response, name, record)
            if found or not alias:
                if not found:
                    self._empty_response(response, name, bool(records))
                return
            name = dns.name.from_text(alias[0].value)

    def _empty_response(self, response: dns.message.Message, name: dns.name.Name, has_others: bool) -> None:
        if not has_others and not self._exists(folded(name.to_text())):
            response.set_rcode(dns.rcode.NXDOMAIN)
        response.authority.append(dns.rrset.from_text(dns.name.root, 60, "IN", "SOA", SOA))

    def _exists(self, name: str) -> bool:
        account = self._account()
        return account.zone.has(name) or (not account.settings.strict and exists_as_published(account, name))

    def _records(self, name: str) -> list[Record]:
        account = self._account()
        found = account.zone.at(name)
        more = self._own_records(name) or (
            [] if account.settings.strict else records_as_published(account, name)
        )
        kinds = {record.type for record in found}
        if found and "CNAME" in kinds | {record.type for record in more}:
            return found  # a CNAME is alone at its name
        return found + [record for record in more if record.type not in kinds]

    def _own_records(self, name: str) -> list[Record]:
        """Returns the records of SES's own names."""
        account = self._account()
        if name == "amazonses.com":
            return [Record(name, "TXT", '"v=spf1 ip4:192.0.2.0/24 -all"')]
        if name == f"feedback-smtp.{account.region}.amazonses.com":
            return [Record(name, "A", "192.0.2.26")]
        token, _, zone = name.partition(".")
        if zone == "dkim.amazonses.com" and _is_token(account, token):
            return [Record(name, "TXT", " ".join(f'"{piece}"' for piece in _public_key()))]
        return []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while True:
                async with asyncio.timeout(_IDLE):
                    (size,) = struct.unpack("!H", await reader.readexactly(2))
                    question = await reader.readexactly(size)
                response, delay = self.respond(question, over_udp=False)
                if response is None:
                    return
                await asyncio.sleep(delay)
                writer.write(struct.pack("!H", len(response)) + response)
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            pass  # the client closed, or was idle too long
        finally:
            self._open.discard(writer)
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        response, delay = self._server.respond(data, over_udp=True)
        if response is None or self._transport is None:
            return
        if delay:
            asyncio.get_running_loop().call_later(delay, self._send_late, response, addr)
        else:
            self._transport.sendto(response, addr)

    def _send_late(self, response: bytes, address: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(response, address)


def _format_error(question: bytes) -> bytes | None:
    if len(question) < 12 or question[2] & 0x80:  # no header, or a response
        return None
    flags = 0x8000 | ((question[2] & 0x79) << 8) | int(dns.rcode.FORMERR)
    return question[:2] + struct.pack("!HHHHH", flags, 0, 0, 0, 0)


def _add(response: dns.message.Message, name: dns.name.Name, record: Record) -> None:
    rdata = dns.rrset.from_text(name, record.ttl, "IN", record.type, record.value)
    for existing in response.answer:
        if existing.match(name, rdata.rdclass, rdata.rdtype, rdata.covers):
            existing.update(rdata)  # pyright: ignore[reportUnknownMemberType]
            return
    response.answer.append(rdata)


def _is_token(account: Account, token: str) -> bool:
    return any(token in identity.dkim.get("Tokens", ()) for identity in account.identities.values())


def _public_key() -> list[str]:
    key = x509.load_pem_x509_certificate(certificate()).public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    text = "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode()
    return [text[i : i + 250] for i in range(0, len(text), 250)]
