"""A rule over the words of a text.

In a pattern, `~` stands for up to four words between two others. Each pattern is bounded, so that a search takes time in
proportion to the text; and none reads across sentences.
"""

import functools
import re
from dataclasses import dataclass

from mailcordon.core.bounce_reason import BounceReason
from mailcordon.observe.bounce_reasons.reading import plain


@dataclass(frozen=True, slots=True)
class Phrase:
    name: str
    reason: BounceReason
    expression: str
    source: str  #: where the words are defined or explained

    @property
    def pattern(self) -> re.Pattern[str]:
        return _compiled(self.expression)


@functools.cache
def _compiled(expression: str) -> re.Pattern[str]:
    """Compiled at first use: processes that explain no bounce load the phrases, too."""
    return re.compile(expression)


def phrase(name: str, reason: BounceReason, *patterns: str, source: str) -> Phrase:
    joined = plain("|".join(pattern.replace("~", r"(?:\S+ ){0,4}") for pattern in patterns))
    return Phrase(name, reason, rf" (?:{joined})(?= )", source)
