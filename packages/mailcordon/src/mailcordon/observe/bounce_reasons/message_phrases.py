"""Rules about the mail itself, and about the words of refusal that any mail may meet."""

from mailcordon.core.bounce_reason import BounceReason as R
from mailcordon.observe.bounce_reasons.phrase import phrase

LINK_LISTS = phrase(
    "link lists",
    R.CONTENT,
    r"~linklist",
    # An address that is listed, with a link to an explanation, is none.
    r"(?<! ip )(?<! ip is )(?<! ip temporarily )(?:black|block) ?listed ~(?:url|link|domain in)\w*",
    r"(?:url|uri|link|linked domain|body)s? ~(?:black|block) ?list\w*",
    r"(?:contains|containing) ~(?:url|uri|link)s?",
    source="SURBL, URIBL and Spamhaus DBL: lists of domains in mails",
)

TOO_LARGE = phrase(
    "too large",
    R.TOO_LARGE,
    (
        r"(?:messages?|mails?|emails?|size|attachments?|content|body|data|letter|"
        r"headers?) ~(?:too (?:large|big|long)|oversized?|larger than|bigger than|exceed\w* ~(?:size|"
        r"limit|maximum|length|max|allowed|bytes|kb|mb))"
    ),
    r"(?:message|mail|email|attachment|header|e mail) (?:size|length)",
    r"size (?:limit|exceed\w*|violation)",
    r"(?:maximum|max|allowed|permitted|fixed) (?:\S+ ){0,2}size",
    r"too (?:large|big) ~(?:message|mail|email|attachment|recipient|system|bytes|size|limit)",
    r"resolver rst (?:recip|send)sizelimit\w*",
    r"exceeds? ~(?:size|max\w* message|mb|bytes)",
    (
        r"(?:nachricht|mail|message|messaggio|mensaje|mensagem) ~(?:zu gross|trop (?:gros\w*|"
        r"volumineu\w*|grand\w*|lourd\w*)|troppo grande|demasiado grande|muito grande)"
    ),
    source="RFC 1870; RFC 3463 X.2.3 and X.3.4; Gmail 5.3.4; Exchange RecipSizeLimit",
)

SPAM_BY_NAME = phrase(
    "spam by name",
    R.CONTENT,
    (
        r"(?:due to|as|because of|for|marked as|detected as|considered|classified as|identified as|"
        r"flagged as) (?:\S+ ){0,2}(?:spam|junk|virus|phish\w*|malware)(?: classification| content)?"
    ),
    source="Google Groups; GMX; IronPort",
)

SPAM_AND_MALWARE = phrase(
    "spam and malware",
    R.CONTENT,
    r"\w*spam\w*",
    (
        r"(?:virus\w*|malware|malicious\w*|phish\w*|trojan\w*|infected|worm|ransomware|scam|"
        r"fraudulent|malscan)"
    ),
    (
        r"(?:junk|unsolicited|unwanted|bulk|suspicious|undesirable|objectionable|offensive|"
        r"inappropriate|harmful) ~(?:mails?|e ?mails?|messages?|content\w*|commercial|attachment\w*|"
        r"link\w*|url\w*|activity|pattern\w*)?"
    ),
    (
        r"(?:content|body|attachments?|file ?types?|subject|extension|executables?) ~(?:reject\w*|"
        r"refus\w*|block\w*|filter\w*|not (?:accepted|allowed|permitted)|violat\w*|prohibit\w*|"
        r"restrict\w*|denied|unacceptable|forbidden|banned|used by)"
    ),
    (
        r"(?:reject\w*|refus\w*|block\w*|prohibited|banned|forbidden|unacceptable|illegal|disallowed|"
        r"denied|violat\w*) (?:\S+ ){0,3}(?:content\w*|attachments?|file ?types?|file|subject|"
        r"profanity|language|url|link)s?"
    ),
    r"(?:content|message|mail) (?:filter\w*|scanner|scan\w*|analysis)",
    r"(?:rejected|blocked|refused) by (?:\S+ ){0,2}filter\w*",
    r"(?:do|does) not accept ~(?:images|attachments?|html)",
    r"(?:message|mail|email) (?:looks|appears|seems|matches|resembles|was filtered|has been filtered)",
    r"(?:improperly formatted|mime) ~(?:content|error|structure|binary)",
    r"invalid header rejected",
    r"similar to messages",
    r"mail rejete ~mail rejected",
    source=(
        "RFC 5321 7.7 (filtering); RFC 3463 X.6; Gmail 5.7.0 and 5.7.1; ProtonMail; Cloudmark; "
        "SpamAssassin; amavis"
    ),
)

SYNTAX = phrase(
    "syntax",
    R.PROTOCOL_ERROR,
    r"syntax",
    r"(?:invalid|illegal|bad|unexpected|forbidden) characters?",
    r"(?:message|mail|header) (?:\S+ ){0,1}(?:contains|has) (?:\S+ ){0,2}(?:invalid|bad|illegal) (?:address|header|recipient)\w*",
    r"recipients? list|in (?:the |your )?(?:message )?headers?",
    (
        r"(?:missing|without|no|lacks?) (?:\S+ ){0,3}(?:from|date|message ?id|sender|to|subject)?(?: |"
        r")headers?"
    ),
    r"(?:invalid|bad|illegal|unknown|improper) (?:\S+ ){0,1}(?:helo|ehlo)",
    r"(?:helo|ehlo) (?:\S+ ){0,3}(?:not|invalid|bad|rejected|refused|does)(?! match)",
    r"(?:message )?headers? (?:\S+ ){0,2}(?:invalid|malformed|address)|invalid address in ~",
    r"(?:lone|bare|stray) (?:lf|cr|new ?lines?|line ?feeds?)",
    r"(?:violat\w*|complian\w*|comply|conform\w*|not compliant) ~rfc(?: ?\d+)?",
    r"rfc ?\d+ (?:\S+ ){0,2}(?:complian\w*|violat\w*|conform\w*)",
    source="RFC 5321 4.2.3: 500, 501; RFC 5322 3.6; RFC 3463 X.5.2; Gmail 5.7.1 (header)",
)

POLICY = phrase(
    "policy",
    R.POLICY,
    (
        r"(?:local|recipient|company|corporate|domain|e ?mail|mail|security|receiving|site|server|"
        r"user|organi[sz]ation|message|gateway|transport|due to|for|by|of|our|violat\w*|against|"
        r"restrictive) polic(?:y|ies)"
    ),
    (
        r"polic(?:y|ies) (?:\S+ ){0,2}(?:reject\w*|violat\w*|restrict\w*|reasons?|block\w*|"
        r"prohibit\w*|den\w+|filter|settings?|rules?|size)"
    ),
    r"administrative(?:ly)? prohibit\w*",
    r"(?:host )?network not allowed",
    r"(?:transport|mail ?flow|content|system|inbound) rules?",
    r"organi[sz]ation ~(?:reject\w*|does not allow|block\w*)",
    r"(?:tls|encryption|starttls|secure connection) ~(?:required|needed|mandatory|necessary|version)",
    r"(?:requires?|must (?:use|issue)) ~(?:tls|starttls|encryption)",
    r"headers? (?:\S+ ){0,1}not accepted",
    r"messages? with multiple addresses",
    source="RFC 3463 X.7.1; Microsoft 5.7.1 transport rules; Mimecast; Apple CS01; RFC 3207",
)

REFUSED = phrase(
    "refused",
    R.POLICY,
    (
        r"(?:prohibited|forbidden|disallowed|restricted|unauthori[sz]ed|not (?:permitted|allowed|"
        r"authori[sz]ed|accepted|welcome))"
    ),
    (
        r"(?:access|permission|delivery|transaction|request) (?:\S+ ){0,1}(?:denied|refused|rejected|"
        r"blocked|not authori[sz]ed)"
    ),
    r"(?:security|administrator|administrative\w*|filter\w*|rules?)",
    source="RFC 3463 X.7.0 to X.7.2",
)

MESSAGE_REFUSED = phrase(
    "message refused",
    R.POLICY,
    (
        r"(?:messages?|mails?|e ?mails?|envelope|data|body|transmission) (?:\S+ ){0,3}(?:rejected|"
        r"refused|denied|blocked|declined|discarded|dropped)"
    ),
    r"(?:blocked|declined|denied)",
    source="RFC 5321 4.2.3: 554 `transaction failed`",
)
