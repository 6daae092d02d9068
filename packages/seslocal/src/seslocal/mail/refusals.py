"""What SES refuses in the addresses, headers and parts of a mail: in which words, and where that is known from.

Simple, raw, SES v1 and SMTP share these checks, and `TABLE` has them all; docs/refusals.md lists it. A source is a section of
ses.md, an RFC, or a public thread in which users of SES report the text. `seen` says whether the text is SES's. Texts that were
not seen are of two kinds. Those of addresses are JavaMail's: each text of an address that users report is one of
its class `InternetAddress`, for the very input for which that class raises it, so the rest of its texts are assumed. All others
are seslocal's own words: SES's are not known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seslocal.errors import ApiError, bad_request

MOST_ADDRESS: Final = 320  #: characters of an address with its name
MOST_LINE: Final = 998  #: octets of a line without its line break (RFC 5322, 2.1.1)
MOST_WORD: Final = 75  #: characters of an encoded word (RFC 2047, 2)
_JAVAMAIL: Final = "JavaMail, InternetAddress"
_PROBED: Final = "floci-io/floci, SesAddressSyntax.java, which was tried against SES"
TABLE: Final[list[Refusal]] = []


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row of the table."""

    text: str  #: with {members}
    when: str
    source: str
    seen: bool = True  #: users of SES report this text

    def error(self, **members: str) -> ApiError:
        return bad_request(self.text.format(**members))


def _row(text: str, when: str, source: str, *, seen: bool = True) -> Refusal:
    row = Refusal(text, when, source, seen)
    TABLE.append(row)
    return row


# addresses

ILLEGAL_ADDRESS: Final = _row(
    "Illegal address",
    "an address is expected and there are several, or none: a comma in a name without quotes",
    "openstax/accounts#253; in SES v2: awsdocs/aws-doc-sdk-examples#5191",
)
LOCAL_WHITESPACE: Final = _row(
    "Local address contains control or whitespace",
    "a space, a control character or one beyond ASCII before the @; a line break in a name; a name of two words before a comma",
    f"openstax/accounts#253, rdunlop/unicycling-registration#749; beyond ASCII: {_PROBED}",
)
LOCAL_CHARACTER: Final = _row(
    "Local address contains illegal character",
    "one of ()<>,;:\\[] before the @; a colon in a name without quotes",
    "boto/botocore#1774, hcengineering/platform#7864, soto-project/soto#331",
)
NO_DOMAIN: Final = _row(
    "Missing final '@domain'",
    "no @",
    "anymail/django-anymail#281, cloud-custodian/cloud-custodian#885; by SMTP: smartinez87/exception_notification#132",
)
EMPTY_DOMAIN: Final = _row("Missing domain", "nothing after the @", f"brave/accounts#35; {_PROBED}")
NO_LOCAL: Final = _row(
    "Missing local name", "nothing before the @", "arithmetric/aws-lambda-ses-forwarder#103"
)
DOMAIN_CHARACTER: Final = _row(
    "Domain contains illegal character",
    "another character than letters, digits, - and . after the @",
    "SebastiaanKlippert/lambda-ses-forwarder#2, mageplaza/magento-2-smtp#191",
)
DOMAIN_WHITESPACE: Final = _row(
    "Domain contains control or whitespace",
    "a space or a character beyond ASCII after the @",
    f"monde-sistemas/delphi-aws-ses#22; {_PROBED}",
)
EXTRA_ROUTE: Final = _row(
    "Extra route-addr",
    "a second < in one address",
    "arithmetric/aws-lambda-ses-forwarder#48 and #91",
)
SEMICOLON: Final = _row(
    "Illegal semicolon, not in group",
    "addresses separated by semicolons",
    "open-falcon/mail-provider#30",
)
NO_QUOTE: Final = _row("Missing '\"'", 'a " that no second one follows', "muratgozel/MIMEText#56")
NO_RIGHT_ANGLE: Final = _row("Missing '>'", "a < without its >", _JAVAMAIL, seen=False)
NO_LEFT_ANGLE: Final = _row("Missing '<'", "a > without its <", _JAVAMAIL, seen=False)
NO_RIGHT_PARENTHESIS: Final = _row("Missing ')'", "a ( without its )", _JAVAMAIL, seen=False)
NO_LEFT_PARENTHESIS: Final = _row("Missing '('", "a ) without its (", _JAVAMAIL, seen=False)
NO_BRACKET: Final = _row("Missing ']'", "a [ without its ]", _JAVAMAIL, seen=False)
NESTED_GROUP: Final = _row("Nested group", "a second : in a group", _JAVAMAIL, seen=False)
ROUTE: Final = _row("Illegal route-addr", "a route: <@a,@b:kim@example.com>", _JAVAMAIL, seen=False)
QUOTE_LATE: Final = _row("Quote not at start of local address", 'k"im"@example.com', _JAVAMAIL, seen=False)
QUOTE_EARLY: Final = _row("Quote not at end of local address", '"ki"m@example.com', _JAVAMAIL, seen=False)
LOCAL_STARTS_WITH_DOT: Final = _row("Local address starts with dot", ".kim@", _JAVAMAIL, seen=False)
LOCAL_DOT_DOT: Final = _row("Local address contains dot-dot", "k..im@", _JAVAMAIL, seen=False)
LOCAL_ENDS_WITH_DOT: Final = _row("Local address ends with dot", "kim.@", _JAVAMAIL, seen=False)
DOMAIN_STARTS_WITH_DOT: Final = _row("Domain starts with dot", "@.example.com", _JAVAMAIL, seen=False)
DOMAIN_DOT_DOT: Final = _row("Domain contains dot-dot", "@example..com", _JAVAMAIL, seen=False)
DOMAIN_ENDS_WITH_DOT: Final = _row("Domain ends with dot", "@example.com.", _JAVAMAIL, seen=False)
LONG_ADDRESS: Final = _row(
    f"Address length is more than {MOST_ADDRESS} characters long: '{{address}}'.",
    "an address with its name, encoded words as they stand, is longer. No line of From or To that holds one address can then "
    f"exceed {MOST_LINE} octets",
    "zulip/zulip#17558, mautic/mautic#7732 (both by SMTP and with bytes in place of characters); "
    "floci-io/floci, SesAddressLength.java, which was tried against SES",
)
INVALID_ADDRESS: Final = _row(
    "Invalid email address<{address}>.",
    "the sender of a bulk call is none of the above; the whole call is refused",
    _PROBED,
)
NAME_BEYOND_ASCII: Final = _row(
    "Illegal address: {address}",
    "a name with characters beyond ASCII, not encoded. The switch `refuse_bare_names`",
    "ses.md 3.1. Users report that SES takes such a name and garbles it: aws/aws-sdk-js#1585, aws/aws-sdk-js-v3#2350",
    seen=False,
)

# headers

DUPLICATE_HEADER: Final = _row(
    "Duplicate header '{name}'.",
    "a header that may stand once stands twice; in SES's own spelling",
    "arithmetric/aws-lambda-ses-forwarder#11, #58 and #111, authelia/authelia#498, axllent/mailpit#642; ses.md 3.3",
)
EMPTY_HEADER_NAME: Final = _row(
    "Empty header names are illegal.",
    "a line of the head begins with a colon",
    "aws/aws-sdk-js#4121, arithmetric/aws-lambda-ses-forwarder#101",
)
MISSING_HEADER: Final = _row(
    "Missing required header '{name}'.",
    "no From, or no recipient at all",
    "aws/aws-sdk-php#68, aristidb/aws#73",
)
LONG_LINE: Final = _row(
    f"A line of the message is longer than {MOST_LINE} octets.",
    "a line of raw mail is longer, without its line break. The switch `refuse_long_lines`",
    "ses.md 3.3. Users report that SES takes it and the receiving host does not: andris9/mimelib#39, aheckmann/node-ses#51",
    seen=False,
)
LONG_WORD: Final = _row(
    f"Invalid header value: an encoded word of {{name}} is longer than {MOST_WORD} characters.",
    "an encoded word in an address, a subject or a header is longer. The switch `refuse_long_words`",
    "RFC 2047, section 2. Nothing is reported of SES",
    seen=False,
)

# parts

NO_START_BOUNDARY: Final = _row(
    "Missing start boundary",
    "no line of a multipart is its boundary",
    "nodemailer/nodemailer#1440; by SMTP: swiftmailer/swiftmailer#563, bbottema/simple-java-mail#259",
)
NO_SLASH: Final = _row(
    "Expected '/', got {found}",
    "the Content-Type of the mail has no sub-type",
    "go-gomail/gomail#131",
)

#: texts that users of SES report and that seslocal never says, with the reason
NOT_SAID: Final = (
    ("Header section too long.", "aws/aws-sdk-php#981", "the limit is not known"),
    ("Expected ';', got \":\"", "sentinl/sentinl#266", "parameters of a Content-Type are not checked"),
    ("Expected '=', got 'null'", "mozilla/fx-private-relay#1887", "the same"),
    (
        "Expected disposition, got =",
        "mageplaza/magento-2-smtp#217",
        "a Content-Disposition is not checked",
    ),
)
