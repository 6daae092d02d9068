"""Rules about the network and the receiving host."""

from mailcordon.core.bounce_reason import BounceReason as R
from mailcordon.observe.bounce_reasons.phrase import phrase

_TEMPORARY = r"(?:temporar\w+|try again|try later|retry|servfail|serv fail|timed? ?out)"

VERIFICATION_IN_PROGRESS = phrase(
    "verification in progress",
    R.REMOTE_ERROR,
    r"(?:address )?verification in progress",
    r"(?:verified|verify\w*) ~(?:at this time|right now|currently)",
    (
        r"(?:user|recipient|mail ?box|account|address|alias) (?:\S+ ){0,1}(?:data ?base|directory|look ?up) "
        r"(?:\S+ ){0,1}(?:errors?|fail\w*|unavailable|problem|timed? ?out)"
    ),
    r"unverified address ~(?:lost connection|timed? ?out|connect|temporar\w+)",
    source="Postfix address_verify_negative_refresh_time, unverified_recipient_tempfail_action",
)

NAME_SERVER_TROUBLE = phrase(
    "name server trouble",
    R.NETWORK,
    (
        r"(?:name service|name server|dns|mx|resolv\w*|host not found|domain not found|"
        rf"name not found) ~{_TEMPORARY}"
    ),
    r"(?:malformed|unexpected) ~name server reply",
    r"(?:temporar\w+|transient) (?:\S+ ){0,2}(?:name server|dns|resolution|name resolution)",
    r"dns ~(?:server failure|unreachable|no response)",
    source="RFC 3463 X.4.3; RFC 5321 5.1; Postfix `Host not found, try again`",
)

NETWORK = phrase(
    "network",
    R.NETWORK,
    (
        r"(?:connection|connect|connected|conversation|session|socket|host|network|route|"
        r"server) (?:\S+ ){0,4}(?:timed? ?out|timeout|refused|reset|lost|dropped|closed|aborted|"
        r"broken|unreachable|terminated|interrupted|is down)(?! channel| transmission)"
    ),
    r"(?:lost|drop\w*|clos\w+) (?:\S+ ){0,1}connection",
    r"(?:operation|command|read|write|response|reply|delivery|session|smtp) timed? ?out",
    r"time ?out (?:exceeded|waiting|while|closing|expired)",
    r"(?:no route|cannot route|unable to route|routing (?:loop|error|problem|failure)|route to host)",
    r"(?:unreachable|not reachable|unable to reach|cannot reach|could not reach|unavailable host)",
    (
        r"(?:could not|unable to|cannot|fail\w* to|not able to|"
        r"did not accept our requests? to) (?:\S+ ){0,2}(?:connect|contact|establish|open ~connection|"
        r"communicate)"
    ),
    (
        r"(?:retry|retries|delivery|queue|message|envelope|lifetime|time to live|delivery time|"
        r"mail) (?:\S+ ){0,2}(?:timeout exceeded|time exceeded|expired|time ?out|timed out|expiration)"
    ),
    (
        r"(?:hop count|too many hops|hops? exceeded|mail loop|routing loop|looping|loop detected|"
        r"loop count|possible loop|loop)"
    ),
    r"(?:not been collected|multiple retries|maximum retries|retries exceeded)",
    (
        r"(?:could not be|not been|unable to) (?:deliver\w*|collected) (?:for|after|within|"
        r"in) ~(?:days?|hours?|retries|attempts)"
    ),
    r"(?:rejected|refused) by the recipient domain ~contact\w* the other",
    r"no (?:answer|response|reply) from (?:\S+ )?host",
    r"(?:network|communication) (?:error|failure|problem)",
    r"tls ~(?:handshake|negotiation|session|connect\w*) ~(?:fail\w*|error|abort\w*)",
    source="RFC 3463 X.4.1, X.4.2, X.4.4, X.4.6, X.4.7; Gmail TEMP_FAILURE; Microsoft 4.4.316, 5.4.300",
)

PROTOCOL = phrase(
    "protocol",
    R.PROTOCOL_ERROR,
    (
        r"(?:command|verb|sequence|parameter|argument)s? ~(?:unrecogni[sz]ed|not (?:implemented|"
        r"recogni[sz]ed|supported|allowed|permitted)|unimplemented|out of (?:order|sequence)|unknown|"
        r"invalid|unexpected)"
    ),
    (
        r"(?:bad|invalid|unimplemented|unrecogni[sz]ed|unknown|improper|unexpected|"
        r"wrong) (?:\S+ ){0,1}(?:commands?|sequence|syntax|parameters?|arguments?|data|characters?|"
        r"headers?|domain name|helo|ehlo|response)"
    ),
    r"(?:rfc ?\d+|non rfc|not rfc|rfc) ~(?:complian\w*|violat\w*|specification\w*|conform\w*)?",
    (
        r"(?:need|missing|no|without|expected|send|issue|first|say) (?:\S+ ){0,2}(?:mail|rcpt|helo|"
        r"ehlo|data|from|date|message id|sender header|from header|headers?)(?: command| header|"
        r" first)?"
    ),
    r"(?:mail|rcpt|helo|ehlo|hello) (?:command )?first",
    r"(?:smtputf8|8bitmime|8 bit|eai|binarymime)",
    r"(?:malformed|ill formed|improperly formatted|not properly formatted)",
    r"(?:multiple|duplicate|more than one) ~(?:from|headers?|date|subject|message id)",
    r"lines? (?:is |are )?too long",
    r"no such command|(?:invalid|bad) message ?id",
    r"protocol (?:error|violation)",
    r"(?:certificate|dane|mta sts) ~",
    r"helo (?:command )?rejected",
    source="RFC 3463 X.5 and X.6; RFC 5321 4.2.4, 4.5.3.1; RFC 6531; Gmail 5.5.1",
)

GAVE_UP = phrase(
    "gave up",
    R.NETWORK,
    r"(?:in|been in) (?:the )?(?:queue|spool) (?:for )?(?:too long|\d+)",
    r"(?:giving up|gave up|not going to try again)",
    source="qmail-remote; RFC 5321 4.5.4.1",
)

TEMPORARY_TROUBLE = phrase(
    "temporary trouble",
    R.REMOTE_ERROR,
    r"recipient (?:\S+ ){0,2}(?:error|problem|busy)",
    (
        r"(?:temporar\w+|internal|currently|transient|momentarily|technical|server|system|local|"
        r"software|hardware|processing|unexpected|general|mailer) (?:\S+ ){0,3}(?:error|errors|"
        r"problem\w*|fail\w*|unavailable|issue\w*|fault|trouble|difficult\w*|busy|outage)"
    ),
    (
        r"(?:server|system|service|host|resources?|daemon|mail ?box|user|recipient|queue|database|"
        r"account) (?:\S+ ){0,2}(?:temporarily|currently|busy|not available|is unavailable|"
        r"overload\w*|down for)"
    ),
    (
        r"service (?:is )?(?:not available|unavailable|currently unavailable|temporarily unavailable|"
        r"refused?)"
    ),
    r"(?:try|retry|come|send|resend) (?:\S+ ){0,3}(?:later|again)",
    r"(?:later|veuillez essayer plus tard|spater|mas tarde)",
    r"(?:insufficient|out of|not enough|low) (?:\S+ ){0,1}(?:resources?|memory)",
    (
        r"(?:local|configuration|config|system config|system configuration|aliasing|delivery|write|"
        r"read|disk|file|i o|parse|database|ldap|mysql|lookup) (?:\S+ ){0,1}(?:error|fail\w*|problem|"
        r"fault)"
    ),
    r"(?:incorrectly|mis ?)configured?",
    (
        r"(?:cannot|could not|unable to|fail\w* to) (?:\S+ ){0,2}(?:create|open|write|read|append|"
        r"lock|process|store|save|exec\w*|fork|look ?up|access|verify)"
    ),
    r"(?:overload\w*|maintenance|shutting down|out of service|load average)",
    r"(?:list expansion|address ambiguous|ambiguous address|replicated)",
    r"multiple destination domains",
    r"(?:closing|in) transmission channel",
    source="RFC 3463 X.3; RFC 5321 4.2.3 (421, 451); Gmail 4.3.0; Mimecast 451; Yahoo 4.16.1",
)
