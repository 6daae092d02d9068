"""What a diagnostic text says, without what names the parties.

The text is the receiving host's, so it may be anything, of any length. Only its first part is read, in one pass over its words.
Addresses, host names, links and IP addresses are replaced by words that say what they are: a recipient who is called `spam` or
`mailbox.full` must not decide why their mail bounced.
"""

import re
import unicodedata
from dataclasses import dataclass

LONGEST_WORD = 100  #: characters that are read of one word
LONGEST = 2000  #: characters that are read; replies of SMTP have at most 512 in a line (RFC 5321 4.5.3.1.5)

#: Labels of the names of lists of sending addresses, by which hosts tell which list they asked.
_ADDRESS_LISTS = frozenset(
    {"abuseat", "abusix", "backscatterer", "barracudacentral", "blocklist", "blacklist", "cbl", "dnsbl", "invaluement"}
    | {"ipcheck", "mailspike", "manitu", "njabl", "nixspam", "ordb", "psbl", "rbl", "sbl", "senderscore", "sorbs", "spamcop"}
    | {"spamhaus", "spamrats", "uceprotect", "wpbl", "xbl", "zen", "csi"}
)  # fmt: skip
#: Labels of the names of lists of domains that mails link to.
_LINK_LISTS = frozenset({"dbl", "ivmuri", "surbl", "uribl"})
#: The last labels that make a word with dots a host name; others are sentences without a blank.
_LONG_TOP_LABELS = frozenset(
    {"example", "info", "local", "invalid", "localdomain", "localhost", "test", "name"}
)

_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?:[:/]\d{1,5})?")
_STATUS = re.compile(r"(?<![\w.])([245])\.(\d{1,3})\.(\d{1,3})(?!\.?\w)")
_REPLY = re.compile(r"(?<![\w.])([245]\d\d)(?![\w.]*\d)(?!\w)")
_NOT_A_WORD = re.compile(r"[\W_]+")
_END_OF_SENTENCE = (".", "!", "?", ";", "...")
_NOT = (
    ("can't", "cannot"),
    ("can not", "cannot"),
    ("won't", "will not"),
    ("n't", " not"),
    ("doesnt", "does not"),
    ("dont", "do not"),
)

#: The words with which the sending host says when it was refused (Postfix, Exim, qmail and others).
_STAGES = (
    (re.compile(r"(?:reply to|after|response to|like our) rcpt to|recipient was rejected"), "recipient"),
    (re.compile(r"(?:reply to|after|response to|like our) mail from|sender was rejected"), "sender"),
    (
        re.compile(
            r"(?:reply to|after|like our) (?:end of )?data|body of message generated|failed after i sent"
        ),
        "data",
    ),
    (
        re.compile(
            r"after initial connection|to talk to me|(?:like our|reply to) (?:helo|ehlo)|my name was rejected"
        ),
        "connect",
    ),
)
#: What the sending host wrote around the refusal. Its words are about the parties, not about the cause.
_AROUND = re.compile(
    r" (?:smtp error from remote mail server after (?:rcpt to|mail from|initial connection|(?:end of )?data|pipelined \w+)"
    r"|(?:to|from|in reply to|in response to) (?:rcpt to|mail from|(?:end of )?data|helo|ehlo)(?: command)?"
    r"|connected to ip but \w+(?: \w+)? was rejected|remote host said|host host(?: addresslist| linklist)?(?: ip)?(?: said)?"
    r"|host said|ip failed after i sent the message|did not like our (?:rcpt to|mail from|data|helo|ehlo)"
    r"|diagnostic code|x postfix|x notes|smtp)(?= )"
)

Status = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Reading:
    words: str  #: in lower case without accents, one blank around each; a line for each sentence, so that no rule reads across
    links: str  #: the words of the links
    status: (
        Status | None
    )  #: RFC 3463: the first that tells more than the class, the text's before the report's
    reply: int | None  #: RFC 5321: the first
    stage: str | None  #: `connect`, `sender`, `recipient` or `data`, if the sending host tells

    @property
    def passing(self) -> bool:
        """Whether the codes say that the refusal is not for good: 4xx, or 4.x.x."""
        if self.reply is not None:
            return self.reply < 500
        return self.status is not None and self.status[0] == 4


def read(text: str, status: str | None) -> Reading:
    """`status` is the one of the delivery report."""
    words, links = _without_names(_simple(text[:LONGEST]))
    found = [(int(a), int(b), int(c)) for a, b, c in _STATUS.findall(words)]
    if reported := _STATUS.fullmatch((status or "")[:20].strip()):
        found.append((int(reported[1]), int(reported[2]), int(reported[3])))
    code = next((one for one in found if one[1:] != (0, 0) and one[0] != 2), found[0] if found else None)
    without_status = _STATUS.sub(" ", words)
    reply = next((int(one) for one in _REPLY.findall(without_status) if one[0] != "2"), None)
    sentences = [_NOT_A_WORD.sub(" ", one).strip() for one in _REPLY.sub(" ", without_status).split("\n")]
    said = " \n ".join(["", *filter(None, sentences), ""])
    stage = next((name for pattern, name in _STAGES if pattern.search(said)), None)
    return Reading(_AROUND.sub(" \n", said), links, code, reply, stage)


def plain(text: str) -> str:
    """Without accents: letters in their simplest form, whatever the script."""
    return "".join([char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char)])


def _simple(text: str) -> str:
    """In lower case, without accents, and with one form of a negation."""
    simple = plain(text.lower().replace("\u2019", "'").replace("ß", "ss"))[: 2 * LONGEST]
    for short, long in _NOT:
        simple = simple.replace(short, long)
    return simple


def _without_names(text: str) -> tuple[str, str]:
    kept: list[str] = []
    links: list[str] = []
    for each in text.split():
        word = each[:LONGEST_WORD]
        bare = word.strip("<>()[]{}\"'.,;:!?=*")
        if "://" in word or bare.startswith("www."):
            kept.append("link")
            links.append(_NOT_A_WORD.sub(" ", word))
            kept += _lists_in(word)
        elif "@" in word:
            at = word.find("@")
            before, after = word[:at].rpartition("<")[0], word[word.rfind("@") :].partition(":")[2]
            kept.append(f"{before} addr {after}")
        elif _ADDRESS.search(word):
            kept.append(_HOST.sub(_host, _ADDRESS.sub(" ip ", word)))
        elif _HOST.search(word):
            kept.append(_HOST.sub(_host, word))
        else:
            kept.append(word)
        if word.endswith(_END_OF_SENTENCE):
            kept.append("\n")
    return " ".join(kept), f" {' '.join(links)} "


def _host(found: re.Match[str]) -> str:
    name = found[0]
    labels = name.split(".")
    last = labels[-1]
    if last.isdigit():
        return name  # a status or a number
    if last.isalpha() and (len(last) <= 3 or last in _LONG_TOP_LABELS):
        return " ".join(["host", *_lists_in(name)])
    return " ".join(labels)


def _lists_in(name: str) -> list[str]:
    """Words for the lists that a name belongs to."""
    labels = _NOT_A_WORD.sub(" ", name).split()
    if not _LINK_LISTS.isdisjoint(labels):
        return ["linklist"]
    return [] if _ADDRESS_LISTS.isdisjoint(labels) else ["addresslist"]
