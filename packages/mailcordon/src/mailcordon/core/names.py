"""The names that people give to things: one grammar for each, for every door, route, command and setting.

Each function returns the name, or raises ValueError with a message for the user. A name that one of them takes is plain text: it
can be shown, logged and used as a tag of SES (ses.md 3.3) as it is.
"""

import re

from mailcordon.core import text
from mailcordon.messages import api, keys, mail

LONGEST_LABEL = 128  #: characters of a campaign or list
LONGEST_KEY_NAME = 100  #: characters
SHORT = r"[a-z0-9-]{1,32}"  #: the name of an installation or a cell

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/+-]{0,127}", re.ASCII)
_SHORT = re.compile(SHORT, re.ASCII)
_ACTOR = re.compile(r"(.+) \(key .+, [a-z0-9]{8}\)", re.DOTALL)


def slug(name: str) -> str:
    """A tenant's name."""
    if _SLUG.fullmatch(name) is None:
        raise ValueError(api.bad_slug())
    return name


def message_type(name: str) -> str:
    """The name of a message type. It is a tag of every mail."""
    return slug(name)


def is_slug(name: str) -> bool:
    """Whether a tenant or message type can have this name. If not, there is none."""
    return _SLUG.fullmatch(name) is not None


def campaign(name: str) -> str:
    """A campaign, as a message gives it and a hold or a cancel selects it."""
    return _label(name)


def list_(name: str) -> str:
    """A list, as a message gives it and a hold or a cancel selects it."""
    return _label(name)


def _label(name: str) -> str:
    if _LABEL.fullmatch(name) is None:
        raise ValueError(mail.bad_label(LONGEST_LABEL))
    return name


def key_name(name: str) -> str:
    """The name of an API key, without spaces around it. It names the user of the key in the audit trail, in sentences and in
    the log."""
    stripped = name.strip()
    if not stripped or len(stripped) > LONGEST_KEY_NAME:
        raise ValueError(keys.bad_key_name())
    text.check_shown(stripped)
    return stripped


def holder(name: str) -> str:
    """Who holds an API key: a person, or a part of a system. Without spaces around it."""
    return key_name(name)


def actor(holder: str, key_name: str, prefix: str) -> str:
    """How the user of a key is named. Keys made by older versions may have names that `key_name` refuses."""
    return f"{text.harmless(holder)} (key {text.harmless(key_name)}, {prefix})"


def holder_of(actor: str) -> str:
    """Who acted: the holder in what `actor` returned, or the whole text of a part of the system."""
    found = _ACTOR.fullmatch(actor)
    return actor if found is None else found[1]


def is_short(name: str) -> bool:
    """Whether an installation or a cell can have this name."""
    return _SHORT.fullmatch(name) is not None
