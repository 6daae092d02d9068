"""Makes the table of public mailbox domains from families.txt: `./dev python packages/mailcordon/mailbox-domains/generate.py`.

mailcordon and seslocal import nothing of each other, so each has its own copy. A test fails when one is not what this makes.
"""

import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
COPIES = (
    HERE.parent / "src/mailcordon/core/mailbox_domains.txt",
    HERE.parents[1] / "seslocal/src/seslocal/state/mailbox_domains.txt",
)
_HEAD = """\
# Domains on which mailbox providers give addresses to the public: a family, then its domains. A family that ends in * is of
# institutions whose domains are known to be there. Made by mailbox-domains/generate.py from families.txt, which has the sources.
#
# Fastmail's domains are from fnando/email-provider-info, under the MIT licence:
#
#   Copyright (c) Nando Vieira. Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
#   associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
#   rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons
#   to whom the Software is furnished to do so, subject to the following conditions: The above copyright notice and this
#   permission notice shall be included in all copies or substantial portions of the Software. THE SOFTWARE IS PROVIDED "AS IS",
#   WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS
#   FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
#   DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH
#   THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
_SET = re.compile(r"(\S*)\{([^{}]*)\}(\S*)")
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}")


def families(text: str) -> dict[str, list[str]]:
    """The domains of each family. Raises ValueError for what is no domain, and for a domain that two families have."""
    found: dict[str, list[str]] = {}
    owner: dict[str, str] = {}
    family = ""
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("+"):
            rest = line[1:]
        else:
            family, _, rest = line.partition(":")
        for domain in _expanded(rest).split():
            if not _DOMAIN.fullmatch(domain):
                raise ValueError(f"{domain} is no domain")
            if domain in owner:
                raise ValueError(f"{domain} is in {owner[domain]} and in {family}")
            owner[domain] = family
            found.setdefault(family, []).append(domain)
    return found


def _expanded(text: str) -> str:
    return _SET.sub(lambda m: " ".join(f"{m[1]}{each}{m[3]}" for each in m[2].split()), text)


def table(text: str) -> str:
    lines = [f"{family} {' '.join(sorted(domains))}" for family, domains in families(text).items()]
    return _HEAD + "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    made = table((HERE / "families.txt").read_text())
    for copy in COPIES:
        copy.write_text(made)
