"""What one name server said to one question, and which server that was."""

from dataclasses import dataclass

NO_ANSWER = "no answer"


@dataclass(frozen=True, slots=True)
class Server:
    address: str  #: IPv4 or IPv6
    port: int = 53


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    exists: bool  #: the name does; False: NXDOMAIN
    records: tuple[str, ...]  #: as `Answer.records`
    alias: str | None  #: where a CNAME points to, if it is there instead of the records
    authoritative: bool  #: the server speaks for the zone itself
    recursed: bool  #: the server offers to ask others
    ttl: int | None  #: seconds


class NoReply(Exception):
    """`final`: the server answered, and asking it again would bring the same."""

    def __init__(self, detail: str, *, final: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.final = final
