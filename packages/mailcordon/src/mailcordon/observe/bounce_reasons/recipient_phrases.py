"""Rules about the recipient: the mailbox, its owner, its domain. Those that close an address are narrow."""

from mailcordon.core.bounce_reason import BounceReason as R
from mailcordon.observe.bounce_reasons.phrase import phrase

_PART = (
    r"(?:mail ?box|mail ?drop|mail ?dir|mail ?folder|inbox|account|recipient|user|storage|disk|"
    r"space|folder|quota)(?: s)?"
)
#: Up to four words, none of which makes a limit one of sending.
_NO_RATE = r"(?:(?!thread|rate|domain|connection|messages|recipients|sending|hourly|daily|frequency|message)\S+ ){0,4}"
_BOX = (
    r"(?:e ?mail|mail ?box|mail ?drop|mail ?dir|mail ?folder|inbox|user|account|recipient|"
    r"addressee|destinat\w+|address|customer|alias|mail ?address)(?:e?s)?(?: s)?"
)
_ANY_BOX = rf"(?:{_BOX}|addr|member|subscriber)"

RESTRICTED_RECIPIENT = phrase(
    "restricted recipient",
    R.POLICY,
    r"resolver rst (?:not ?authori[sz]ed|auth ?required|restricted\w*|sendernot\w*)",
    source="Microsoft, NDR 5.7.1 and 5.7.133 (RESOLVER.RST)",
)

RECIPIENT_OWN_RULES = phrase(
    "recipient's own rules",
    R.POLICY,
    (
        r"only ~(?:accept\w*|receiv\w*|allow\w*) ~(?:mail|messages|emails|from) ~(?:specific|certain|"
        r"internal|authenticated|approved|authori[sz]ed|known|members|senders|contacts)"
    ),
    r"restricted ~(?:sms|to ~senders|to ~members)",
    r"(?:blocked|blocks|rejects?|refuses?) you",
    (
        r"(?:accept\w*|receiv\w*|mail|emails?|messages?) (?:\S+ ){0,2}from (?:you|this sender|"
        r"this address|unknown senders)"
    ),
    r"(?:user|recipient)(?: s)? (?:own )?(?:filters?|rules?|settings|preferences)",
    r"member of (?:the|this) group",
    r"blocked by (?:the )?(?:recipient|user|addressee)",
    r"(?:rejected|refused) by (?:this|the) (?:user|recipient|addressee|owner)",
    r"account is protected by",
    source="Microsoft, NDR 5.7.1 (restricted mailboxes); qmail and Courier user filters",
)

MAILBOX_FULL = phrase(
    "mailbox full",
    R.MAILBOX_FULL,
    (
        rf"{_PART} {_NO_RATE}(?:full|over ?quota|overfull|exceed\w*|over (?:the |its |his |their |"
        r"my )?(?:\S+ )?(?:quota|limit|size|storage))(?! ~(?:rate|recipients|connections|"
        r"messages per))"
    ),
    r"(?:user ?)?disk quota",
    (
        r"(?:over|exceed\w*|out of|above) (?:\S+ ){0,3}(?:quota|mail ?box size|storage|disk space|"
        r"space limit)"
    ),
    r"(?:over|out) ?(?:of )?quota",
    r"quota ~(?:exceed\w*|full|reached|violat\w*|over\w*|used|limit\w*)",
    (
        r"(?:insufficient|not enough|not sufficient|no|lack of|low on|out of|"
        r"too little) (?:\S+ ){0,2}(?:storage|disk|space|quota)"
    ),
    r"(?:exceeded|exceeds|exceeding) (?:\S+ ){0,2}storage(?: allocation)?",
    rf"{_PART} ~(?:has |have |contains )?too many (?:messages|mails|emails)",
    r"number of messages in ~(?:mail ?box|inbox)",
    r"(?:mail ?box|inbox|account) size",
    r"(?:boite|boites|messagerie|compte) ~(?:pleine?|plein|saturee?|dep\w+)",
    r"quota (?:du |de )?~(?:depasse|atteint)",
    (
        r"(?:postfach|mailbox|speicherplatz|konto|kontingent|postkorb|postvak|mailboks) ~(?:voll|vol|"
        r"uberfullt|ueberfuellt|uberschritten|ueberschritten|erschopft|erreicht|full)"
    ),
    r"(?:buzon|casilla|cuenta) ~(?:llen[oa]|excedid[oa]|superad[oa])",
    r"(?:casella|posta) ~pien[ae]",
    r"(?:caixa|conta|correio) ~(?:chei[oa]|excedeu|excedid[oa])",
    r"(?:skrzynka|konto) ~(?:pelna|przepelnion[ay]|przekroczon\w*)",
    r"(?:ящик|квота) ~(?:переполнен|превышен\w*|заполнен)",
    r"kota\w* ~(?:dolu|asildi|doldu)",
    source="RFC 3463 X.2.2; RFC 5321 4.2.3 (452, 552); Gmail OverQuota; Dovecot quota_exceeded_message",
)

ANY_QUOTA = phrase(
    "any quota",
    R.MAILBOX_FULL,
    r"quota",
    source="RFC 3463 X.2.2",
)

NO_SUCH_DOMAIN = phrase(
    "no such domain",
    R.DOMAIN_INVALID,
    r"null ?mx",
    r"(?:host|domain|server|system) ~(?:does|do|will) not accept (?:any )?(?:mail|e ?mail|messages?)",
    (
        r"(?:host|domain|hostname|domain name|mail domain|"
        r"host or domain name) (?:\S+ ){0,6}(?:unknown|not found|not exist|invalid|non ?exist\w*|"
        r"not resolve|no data known|expired|not valid|nxdomain)"
    ),
    (
        r"(?:no such|unknown|invalid|illegal|bad|non ?existent|unresolvable|cannot find|"
        r"find any) (?:mail |destination |recipient |e ?mail )?(?:host|domain|hostname|"
        r"system)(?: named)?(?! (?:name|command))"
    ),
    r"nxdomain",
    (
        r"(?:no|without|missing|invalid) (?:valid |usable )?(?:mx|mail exchanger|mail exchange|"
        r"a record|dns record|dns entry|mx or a)\w*"
    ),
    r"(?:no|not have|not find) ~(?:mail exchanger|mx|dns) ~(?:record|host|entry|found|for)s?",
    r"name service error for ~not found",
    r"(?:all relevant )?mx records? ~(?:non ?existent|invalid|point)",
    r"mail for ~loops back to myself",
    r"(?:mx|mail exchanger|best mx) ~points? back|local configuration error ~mx",
    r"unrout(?:e)?able (?:mail )?domain",
    r"bad destination system",
    r"(?:dns query|domain name) (?:error|failure)",
    r"reserved by rfc 2606",
    source="RFC 7505; RFC 7504; RFC 3463 X.1.2; Postfix, Exim and Sendmail for names that do not exist",
)

UNKNOWN_RECIPIENT = phrase(
    "unknown recipient",
    R.USER_UNKNOWN,
    (
        r"no (?:such|valid|active|known|matching|one|account|mail ?box|user|"
        rf"recipients?)(?: \S+)? ?(?:{_ANY_BOX}|here|there|person|name|id|by that name|with that name|"
        r"of that name|on (?:this|our))"
    ),
    (
        r"(?:unknown|undefined|non ?existent|nonexisting|nonexistant|unrecogni[sz]ed|illegal|invalid|"
        r"wrong|incorrect|undeliverable|unrout(?:e)?able|not a valid|not valid|"
        rf"not an? (?:\S+ )?(?:known|existing|active|local)|not a) (?:\S+ ){{0,2}}{_ANY_BOX}"
    ),
    (
        rf"{_ANY_BOX} (?:\S+ ){{0,5}}(?:unknown|not known|does not exist|not exist\w*|do not exist|"
        r"doesnt exist|no exist|non ?exist\w*|not found|could not be found|cannot be found|"
        r"cannot find|not recogni[sz]ed|not valid|not listed|not registered|not defined|undeliverable|"
        r"not in ~directory|not a valid|not our|not a known|not (?:a )?(?:local|customer|subscriber)|"
        r"not ok|not be resolved|not available|has moved|no longer valid|no longer exists?|"
        r"no longer available|no longer here|no longer with|no longer employed|deleted|removed|"
        r"has left|is invalid|invalid|incorrect|was not found|absent|"
        r"is no longer(?! (?:accept|receiv|active)))"
    ),
    (
        r"(?:does|do|did|could|cannot|can) not (?:currently )?(?:have|find|know|recogni[sz]e|locate|"
        rf"like|contain) (?:an? |the |this |any |such |that |your )?(?:\S+ ){{0,2}}{_ANY_BOX}"
    ),
    (
        r"bad (?:destination |recipient |mail ?box |e ?mail )?(?:addr|address|recipient|mail ?box|"
        r"user)(?! (?:database|syntax))"
    ),
    r"user (?:\S+ ){0,1}not (?:here|there)|nobody (?:here )?(?:of|by|with) that name",
    r"no (?:record|trace) of ~(?:address|user|recipient|mail ?box|addr)",
    r"recipientnotfound",
    r"no (?:\S+ )?(?:mail ?box|user|recipient|account|address)(?:e?s)? (?:\S+ )?(?:was |were )?found",
    (
        r"(?:unable|fail\w*|not able) to (?:find|locate|look ?up) ~(?:user|recipient|mail ?box|"
        r"account|address)"
    ),
    r"no valid recipients?",
    r"(?:unknown|invalid|bad) (?:local ?part|destination|user ?name|recipients?)",
    r"(?:local ?part|name|id) (?:\S+ )?(?:unknown|not (?:known|found|recogni[sz]ed))",
    r"not in (?:our|the|my|this) (?:\S+ )?(?:database|directory|user list|address book|system)",
    r"(?:has )?left the (?:company|organi[sz]ation|firm)",
    r"(?:recipient|address|user|mail ?box)s? cannot be verified",
    r"bad destination (?:\S+ )?(?:address|mail ?box)",
    r"user account is unavailable",
    (
        r"(?:unk?now|uknown|unknow|inexistent|unresolvable|unverifiable) (?:\S+ ){0,1}(?:user|"
        r"recipient|mail ?box|address|account)"
    ),
    (
        r"(?:final delivery )?(?:userid|receiver|addressee|rcpt|mail drop) (?:is )?(?:unknown|"
        r"not found|invalid|not known|does not exist)"
    ),
    r"(?:invalid|unknown|bad) (?:\S+ ){0,2}(?:userid|receiver)",
    r"not (?:on|in) (?:the |a |our )?list of (?:valid |known )?(?:recipients|users|addresses|mail ?boxes)",
    r"no (?:\S+ )?(?:mail ?box|account|user) (?:for|called|named|with|of)",
    (
        r"(?:recipient|address|user) (?:\S+ )?(?:could not be verified|cannot verify)|(?:unable|"
        r"fail\w*) to verify (?:the )?(?:recipient|address|user|mail ?box)"
    ),
    r"(?:does not|not) match (?:an? |any )?(?:\S+ )?(?:user|recipient|mail ?box|account|address)",
    (
        r"(?:person|user|he|she) (?:is )?(?:not here|no longer has|does not work|no longer works)|"
        r"does not work (?:here|for us)"
    ),
    r"(?:address|mail ?box|account) is not in use",
    r"(?:is )?no longer (?:valid|exists?|available|with|employed|works?|here|a customer)",
    r"(?:not|isn) (?:our|a) customer",
    r"(?:does|do) not (?:exist|have) (?:on|at|in|here|an account|a mailbox)",
    r"(?:not|cannot) (?:be )?(?:find|found|look up|locate|resolve) ~(?:recipient|user|mail ?box)",
    r"mail ?box name not allowed",
    r"user not local",
    r"invalid mail ?box",
    r"(?:cannot|could not) (?:accept|verify|deliver to) (?:the )?(?:user|recipient|address)",
    r"(?:your )?envelope recipient has been denied",
    r"delivery error dd ~(?:not|no|does|requested)",
    r"access denied as ?201806281",
    (
        r"recipient (?:address )?rejected (?:user|unknown|addr|undeliverable|invalid|access denied|"
        r"no such|mailbox|not found)"
    ),
    (
        r"(?:utilisateur|destinataire|adresse|compte|boite) ~(?:inconnue?s?|inexistante?|invalide|"
        r"introuvable|n existe (?:pas|plus)|desconnue)"
    ),
    (
        r"(?:empfa?e?nger\w*|benutzer\w*|adresse|postfach|mailadresse|teilnehmer|konto) ~(?:unbekannt|"
        r"existiert nicht|nicht gefunden|nicht vorhanden|ungultig|nicht bekannt|nicht vergeben)"
    ),
    r"(?:unbekannte?r?|ungultige?r?) (?:empfanger|benutzer|adresse)\w*",
    (
        r"(?:usuario|destinatario|direccion|buzon|cuenta|endereco|caixa|conta) ~(?:desconocid[oa]|"
        r"no existe|inexistente|no encontrad[oa]|no valid[oa]|invalid[oa]|desconhecid[oa]|"
        r"nao (?:existe|encontrad[oa]))"
    ),
    (
        r"(?:utente|destinatario|indirizzo|casella) ~(?:sconosciut[oa]|inesistente|non (?:esiste|"
        r"trovat[oa]|valid[oa]))"
    ),
    (
        r"(?:odbiorca|uzytkownik|adres|konto) ~(?:nie istnieje|nieznany|nie znaleziono|nieprawidlowy)|"
        r"nie ma takiego (?:uzytkownika|adresu|konta)"
    ),
    r"(?:gebruiker|ontvanger|adres|postvak) ~(?:onbekend|bestaat niet|niet gevonden)",
    r"(?:пользователь|получатель|адрес|ящик) ~(?:не существует|не наиден|неизвестен|не зарегистрирован)",
    (
        r"kein (?:solcher|passender) (?:benutzer|empfanger)|(?:ukendt|okand|ukjent) (?:modtager|"
        r"mottagare|mottaker|bruger|bruker|anvandare)"
    ),
    (
        r"(?:no existe|nao existe|non esiste|inexistente) ~(?:buzon|usuario|cuenta|caixa|utente|"
        r"casella)|(?:mail ?box|adres) onbekend"
    ),
    r"kayttajaa ei (?:ole|loydy)|(?:такого )?(?:пользователя|адреса|ящика) (?:нет|не существует|не наидено)",
    r"\S*(?:不存在|未找到|存在しません|存在しない|見つかりません|宛先不明|없는)|\S+ 찾을 수 없습니다",
    source=(
        "RFC 3463 X.1.1; RFC 5321 4.2.3 (550, 551, 553); Postfix, Exim, Sendmail, qmail; Yahoo dd; "
        "Exchange 5.1.10"
    ),
)

DISABLED_MAILBOX = phrase(
    "disabled mailbox",
    R.MAILBOX_DISABLED,
    (
        rf"{_ANY_BOX} (?:that you tried to reach )?(?:\S+ ){{0,3}}(?:(?:disabled|restricted|"
        r"blocked)(?! (?:e ?mail|mail|messages?|delivery))|inactive|inactivated|"
        r"suspended|deactivated|locked|closed|expired|terminated|frozen|dormant|abandoned|not active|"
        r"unavailable temporarily|hangup|on hold|discontinued|cancel\w*|"
        r"not activated|disconnected|retired)"
    ),
    (
        r"(?:disabled|inactive|suspended|deactivated|locked|closed|expired|terminated|frozen|"
        r"dormant) (?:\S+ ){0,1}(?:mail ?box|user|account|recipient|address|customer)"
    ),
    r"(?:is|been) (?:currently |temporarily |permanently )?(?:suspended|deactivated|disabled)",
    r"no longer (?:accepts?|accepting|receiv\w*|active|monitored|in service|in use)",
    (
        rf"{_BOX} (?:\S+ ){{0,3}}not (?:currently )?(?:accept\w*|receiv\w*) (?:any )?(?:mail|e ?mail|"
        r"messages)"
    ),
    r"(?:compte|boite|adresse) ~(?:desactivee?|suspendue?|inactive?|bloquee?|fermee?|cloturee?)",
    r"(?:konto|postfach) ~(?:deaktiviert|gesperrt|gelosch\w*|inaktiv|stillgelegt)",
    (
        r"(?:cuenta|buzon|conta|casella) ~(?:desactivad[oa]|suspendid[oa]|inactiv[oa]|bloquead[oa]|"
        r"deshabilitad[oa]|disabilitat[oa]|sospes[oa]|desativad[oa])"
    ),
    source="RFC 3463 X.2.1; Gmail 5.2.1 DisabledUser; Sina `user is locked`",
)

RECIPIENT_REFUSED = phrase(
    "recipient refused",
    R.USER_UNKNOWN,
    (
        r"(?:recipient|user|mail ?box|addr|address) (?:\S+ ){0,2}(?:unavailable|not accepted|not ok|"
        r"undeliverable)"
    ),
    # Without more words: what follows is a rule of the host, and its words decide.
    r"(?:recipient|user|mail ?box|addr|address) (?:\S+ ){0,2}(?:rejected|refused|denied)(?: addr)?(?= \n| $)",
    source=(
        "RFC 5321 4.2.3: 550 `mailbox unavailable` (not found, no access, or rejected for policy reasons)"
    ),
)
