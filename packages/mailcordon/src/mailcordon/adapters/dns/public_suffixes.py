"""The public suffix list of publicsuffix.org, as the package `publicsuffixlist` ships it, with its private part: `github.io` is a
public suffix as `co.uk` is. A name below no listed suffix counts its last label as one, as the list's own rules say.
"""

import functools

from publicsuffixlist import PublicSuffixList

#: Reading the list takes some 50 ms and 5 MB: one serves a process.
_read = functools.cache(PublicSuffixList)


class PublicSuffixes:
    """The list as this version of the package has it."""

    def __init__(self) -> None:
        self._list = _read()

    def registrable(self, domain: str) -> str | None:
        """The public suffix of `domain` and one label more. None: `domain` is a public suffix itself. `domain` is in the form
        that `core.domain.parse` returns."""
        return self._list.privatesuffix(domain)
