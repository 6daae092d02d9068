"""Rules about the sending side: its reputation, its authentication, its addresses, its rate, and whom it may send to."""

from mailcordon.core.bounce_reason import BounceReason as R
from mailcordon.observe.bounce_reasons.phrase import phrase

_AUTH = r"(?:spf|dkim|dmarc|domainkeys?|sender ?id|sender policy framework|arc)"
_SENDER = (
    r"(?:sender|senders|originator|return path|envelope from|mail from|from address|from header|"
    r"from domain|reverse path)"
)
_OURS = r"(?:your|sending|senders?|client|connecting|source|remote|this|the|following)"

GREYLISTED = phrase(
    "greylisted",
    R.GREYLISTED,
    r"gr[ae]y ?list\w*",
    r"postgrey",
    source="RFC 6647 2.2",
)

SENDERS_OF_A_GROUP = phrase(
    "senders of a group",
    R.SENDER_REJECTED,
    r"not (?:a )?(?:member|subscribe[rd]) (?:of|to) ~(?:list|group)",
    r"(?:on|in) ~list of ~senders",
    r"sender ~not (?:pre )?approved",
    source="Mailman, GNU; Google Groups posting permissions",
)

REPUTATION = phrase(
    "reputation",
    R.BLOCKED_REPUTATION,
    r"reputation",
    r"(?:user |spam )?complaints? (?:we |from |about |received|rate)",
    r"user complaints",
    r"un(?:usual|expected) ~(?:unsolicited|complaints?)",
    (
        r"(?:too many|sen\w+|sends|large number of|origin of|source of) (?:\S+ ){0,2}(?:unwanted|"
        r"unsolicited|spam|junk) (?:messages|mails?|emails?)?"
    ),
    r"(?:currently|you are|host is|server is|ip is|been) (?:sending|relaying) (?:out )?spam",
    (
        r"(?:too many|directory|dictionary) ~(?:bad commands|invalid recipients|unknown users?|"
        r"invalid users?|harvest\w*|attack)"
    ),
    r"dynamic ~(?:ip|address\w*|space|range|pool|hosts?)",
    r"(?:dial ?up|residential) ~(?:ip|address\w*|hosts?|space|range|connections?)",
    (
        r"not (?:currently )?(?:accepting|accepted|accept) ~(?:mail|messages|connections?|"
        r"email) from ~(?:your|ip|this ip|ip addresses)"
    ),
    r"(?:connections?|mail|messages?) (?:\S+ ){0,2}not (?:be )?accepted from ~ip",
    r"messages from ~ip were not sent",
    r"not allowed to connect",
    source="Gmail 4.7.28, Yahoo TSS04, Microsoft 5.7.1 S3140, Comcast BL000000",
)

ADDRESS_LISTS = phrase(
    "address lists",
    R.BLOCKED_REPUTATION,
    r"addresslist",
    (
        r"(?:dnsbl|rbl|dnsrbl|rhsbl|rbls|zen|sbl|xbl|pbl|spamhaus|spamcop|sorbs|barracudacentral|"
        r"uceprotect|cloudmark csi)"
    ),
    r"(?:black|block|deny|drop|ban) ?list(?:s|ed|ing)?",
    r"blocked using",
    (
        r"(?:ip|host|server|address) (?:\S+ ){0,3}(?:is |are |was |has been )?(?:blacklisted|"
        r"blocklisted|listed (?:by|in|at|on))"
    ),
    r"banned(?! content)",
    r"(?:is|are) listed (?:by|in|at|on)",
    r"(?:ip|hosts?|server|network|isp) ~(?:blocked|blocking|banned|hangup|black)",
    r"(?:black|blocked|bad|invalid|rejected) ip",
    r"blocked ~(?:ip|ipcheck|abuse|by ~(?:rbl|dnsbl))",
    r"blocked (?:for|due to|because of) (?:spam|abuse)(?! (?:content|score|mail|message))",
    r"rejected ~ip ~(?:list|black)\w*",
    r"use ~(?:smtp|mail) server of your (?:isp|provider)",
    source="RFC 5782; Postfix default_rbl_reply; Exim dnslists",
)

SENDING_QUOTA = phrase(
    "sending quota",
    R.RATE_LIMITED,
    r"(?:daily|hourly|sending|send|rate|outbound|relay|submission) (?:\S+ ){0,2}(?:quota|limits?)",
    r"(?:quota|limits?) (?:\S+ ){0,2}(?:per|each) (?:hour|minute|day|second)",
    source="Gmail 5.4.5 and 4.2.1; SES Throttling",
)

TOO_MANY_AT_ONCE = phrase(
    "too many at once",
    R.RATE_LIMITED,
    (
        r"(?:too many|trop de|zu viele|max\w*|exceed\w*|excessive|"
        r"limit\w*) (?:\S+ ){0,3}(?:connections?|sessions?|messages?|mails|emails|recipients?|rcpts?|"
        r"connexions?|destinataires?|verbindungen|nachrichten|empfanger|concurren\w*|"
        r"requests)(?! (?:in|size|length|header))"
    ),
    (
        r"(?:rate|frequency|volume|connection|thread|speed) (?:\S+ ){0,1}(?:is )?(?:limit\w*|"
        r"exceed\w*|too high|control\w*)"
    ),
    (
        r"(?:connections?|messages?|mails|emails|recipients?|rcpts?) (?:per|in a) (?:hour|minute|day|"
        r"second|connection|session|transaction|message)"
    ),
    r"throttl\w*",
    r"too much (?:mail|e ?mail|traffic)",
    r"(?:connections?|messaging|sending) (?:\S+ ){0,1}limits?",
    r"too (?:fast|quickly|frequent\w*|often|rapidly)",
    r"(?:excessive|unusual|unexpected|high) ~(?:volume|rate|traffic|frequency|number)",
    r"receiving e?mail ~(?:quickly|rate)",
    r"submission rate",
    r"(?:frequency|thread|connection|recipient|message|sender) (?:\S+ ){0,1}limit\w*",
    r"slow (?:it )?down",
    r"mail flood",
    source=(
        "RFC 3463 X.5.3; Gmail 4.2.1 and 4.7.28; Microsoft 432 4.3.2; GMX; Orange OFR_104; NetEase HL:ICC"
    ),
)

AUTHENTICATION = phrase(
    "authentication",
    R.AUTH_FAILURE,
    (
        rf"{_AUTH} ~(?:fail\w*|not|no|none|reject\w*|refus\w*|den\w+|invalid|missing|check\w*|polic\w+|"
        r"violat\w*|error|soft ?fail|hard ?fail|align\w*|requir\w*|validat\w*|verif\w*|records?|"
        r"quarantine|discard|result\w*)"
    ),
    (
        r"(?:fail\w*|violat\w*|valid|without|missing|due to|against|reject\w*|refus\w*|pass|must|"
        rf"lack\w*|requir\w*|unauthenticated|fails|by|no|fix) ~{_AUTH}"
    ),
    r"unauthenticated ~(?:e ?mails?|mails?|messages?|senders?)",
    r"senders? (?:is |was |are )?(?:unauthenticated|not authenticated|unverified)",
    r"(?:e ?mail|message|mail) (?:is |was )?(?:not |un)authenticated",
    r"authentication (?:\S+ ){0,2}(?:required|needed|fail\w*|check\w*|result\w*|unsuccessful)",
    r"(?:require|requires) (?:\S+ ){0,2}authentication",
    r"(?:must|need to|please) (?:\S+ ){0,2}authenticate",
    (
        r"(?:ptr|rdns|fcrdns|fcrdn|reverse dns|reverse ?lookup|reverse (?:host ?)?name|reverse (?:ip|"
        r"mapping|entry|record|pointer|resolution|zone)|reversedns|revdns|inverse dns)"
    ),
    (
        r"(?:cannot|could not|unable to|fail\w* to|no) ~(?:resolve|find|lookup|look up|"
        r"verify) ~(?:your|client|sending) (?:ip|host ?name|reverse|hostname|domain|address|server)"
    ),
    r"(?:no matches to nameserver query|no matches to name server query)",
    (
        r"(?:mis ?match\w*|does not match|not match\w*|do not match) ~(?:ip|client|dns|host|"
        r"host ?name|helo|ehlo|certificate)"
    ),
    r"(?:helo|ehlo|host ?name|domain|mail from|from) ~(?:mis ?match\w*|does not match|not match\w*) ~",
    r"(?:spoof\w*|forged|forgery|impersonat\w*|fake|faked)",
    r"unverif(?:y|i)\w* ~ips?",
    (
        r"(?:unknown|unnamed) (?:client|host|server)(?: host)? ip|(?:client|"
        r"connecting) (?:host )?(?:is )?unknown|unknown client"
    ),
    r"(?:client|host|user|connection) (?:\S+ ){0,2}not (?:been )?authenticated",
    (
        r"not (?:allowed|authori[sz]ed|permitted|designated) to send ~(?:for|from|on behalf|"
        r"as) ~(?:domain|host|addr|mail|your|this|sender)"
    ),
    (
        r"(?:unauthori[sz]ed|not authori[sz]ed|not permitted|illegal) ~(?:sending|source|"
        r"sender) (?:host|ip|server)"
    ),
    source=(
        "RFC 7372; RFC 7489 10.3; Gmail 5.7.26 and 5.7.25; Microsoft 5.7.23 and 5.7.509; GMX; Comcast 554 PTR"
    ),
)

RELAYING = phrase(
    "relaying",
    R.RELAY_DENIED,
    (
        r"relay\w* ~(?:denied|deny|not (?:permitted|allowed|possible)|prohibited|rejected|refused|"
        r"forbidden|access|disabled|operation rejected|is not)"
    ),
    (
        r"(?:not|cannot|unable to|no|open|deny|denied|denies|refus\w*|prohibit\w*|never|"
        r"disallow\w*) (?:\S+ ){0,3}relay\w*"
    ),
    r"(?:allowed )?(?:rcpthosts|rcpt hosts)",
    r"not a gateway",
    r"(?:domain|host) ~not ~(?:local|hosted|handled|served|serviced|accepted|configured|ours) ~",
    r"not (?:a |one of )?(?:our |my )?(?:local|hosted|served) (?:domain|host|address)\w*",
    (
        r"(?:we|host|server|system) ~(?:do|does) not (?:handle|host|serve|service|"
        r"accept mail for) ~(?:domain|host)"
    ),
    source=(
        "RFC 5321 7.9 and 3.6.1; Postfix reject_unauth_destination; qmail rcpthosts; Sendmail "
        "`Relaying denied`"
    ),
)

SENDER = phrase(
    "sender",
    R.SENDER_REJECTED,
    (
        rf"{_SENDER} (?:addr |address |domain |host |verify |verification |is |was |has been |been |"
        rf"not |e ?mail |callout |check |of |this |denied |by |the |name |s ){{0,4}}(?:rejected|reject|"
        r"refused|denied|den\w+|blocked|disallowed|invalid|unknown|undeliverable|bad|fail\w*|"
        r"prohibited|forbidden|illegal|allowed|accepted|valid|verified|permitted|authori[sz]ed|"
        r"unvalidated|required|does not|do not|could not|cannot|not found|nonexist\w*|must|should|"
        r"syntax|black)"
    ),
    (
        r"(?:invalid|bad|unknown|illegal|denies|rejects|refused|rejected|unresolvable|blocked|null|"
        rf"void|deny|reject|malformed|unqualified) (?:\S+ ){{0,2}}{_SENDER}"
    ),
    r"domain of (?:the )?sender",
    r"bad ?mail ?from",
    (
        r"(?:verify|verifying|verification of|check) (?:the )?(?:\S+ )?sender\w*|sender (?:callout|"
        r"verification)|callout"
    ),
    r"senders? s (?:\S+ )?(?:mail ?box|address|domain|account)",
    r"your (?:e ?mail |mail |own |sending )?(?:account|mail ?box|mail address|domain)",
    r"sending (?:domain|account|address)",
    r"(?:sender|from) ~(?:domain|address) ~(?:not exist|not resolve|not found|must exist|must resolve)",
    r"invalid dns mx or",
    r"envelope (?:\S+ ){0,1}(?:blocked|rejected)",
    r"(?:reply|response) to mail from ~",
    r"(?:batv|backscatter|bounce) ~(?:fail\w*|invalid|protection|verif\w*|detected|rejected)",
    r"(?:spam reporting address)",
    (
        r"(?:do|does) not accept (?:mail|email|messages?) from ~(?:sender|domain|addr|you|your domain|"
        r"this address)"
    ),
    (
        r"(?:sending|your) (?:e ?mail )?(?:domain|address) ~(?:blocked|rejected|refused|not exist|"
        r"not resolve|invalid|not valid|denied)"
    ),
    source=(
        "RFC 3463 X.1.7 and X.1.8; Postfix reject_unknown_sender_domain; Sendmail check_mail; Exim "
        "`Sender verify failed`"
    ),
)

SENDING_SIDE = phrase(
    "sending side",
    R.SENDER_REJECTED,
    (
        r"(?:sender|return|reply to|originator|client|(?:in|of|your) (?:the )?(?:from|helo|ehlo)|"
        r"your (?:\S+ ){0,2}(?:server|host|domain|name|dns|system)) (?:\S+ ){0,4}(?:invalid|not valid|"
        r"unknown|not found|not exist|has no|no mx|incorrect|bad)"
    ),
    (
        r"(?:invalid|unknown|bad|incorrect) (?:\S+ ){0,2}(?:in|for|of) (?:the |your )?(?:from|helo|ehlo|"
        r"sender|header)"
    ),
    r"of your (?:host|server|domain)|(?:mail )?server(?: s)? address",
    source="RFC 3463 X.1.7 and X.1.8; RFC 5321 4.1.4",
)

CLIENT_HOST = phrase(
    "client host",
    R.BLOCKED_REPUTATION,
    (
        rf"{_OURS} (?:\S+ ){{0,2}}(?:ip|host|server|mta|network|isp|mail server|system) ~(?:blocked|"
        r"rejected|refused|denied|not (?:allowed|accepted|welcome|permitted)|disallowed|blocking|"
        r"restricted|spam\w*)"
    ),
    (
        r"(?:configured to reject|reject\w*|refus\w*|block\w*|den(?:y|ied|ies)) (?:all )?(?:mail|"
        r"e ?mail|messages|connections?|traffic) from ~(?:host|ip|your|this|addr|network)"
    ),
    (
        r"(?:access denied|access refused|connection (?:denied|rejected|blocked)) ~(?:ip|your|host|mx|"
        r"network)"
    ),
    r"not accepting connections",
    r"(?:address|host|server) ip (?:is )?(?:invalid|not|bad|unknown|refused|rejected)",
    r"no (?:e?smtp|mail) service",
    (
        r"(?:ip|ip address|client) (?:\S+ ){0,2}(?:not allowed|not accepted|rejected|refused|denied|"
        r"blocked|unauthori[sz]ed|restricted|suspended|not white ?listed)"
    ),
    r"(?:ip|host|client) (?:is )?not (?:found )?(?:in|on) ~(?:white|allow|safe) ?list\w*",
    r"to submit (?:messages|mail) to this ~system has been rejected",
    source=(
        "Postfix check_client_access; Microsoft 5.7.606; Apple `not accepting connections`; GMX `No "
        "SMTP service`"
    ),
)
