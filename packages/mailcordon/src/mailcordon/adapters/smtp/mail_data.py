"""The data of one mail as it arrives after DATA: its end, its dots, and line endings that programs read differently.

Only CR LF ends a line, and only CR LF . CR LF ends the data. A CR or LF alone is refused at once: a program that takes it for the
end of a line may have let somebody write a second mail into this one (SMTP smuggling). Pure; no whole mail is copied here.
"""

#: Bytes of a line that are kept until its end comes. RFC 5321 4.5.3.1.6 allows 1,000; what is longer is refused later, with a
#: sentence, by what reads the mail.
LONGEST_KEPT_LINE = 64 * 1024


class BareLineEnding(Exception):
    """There is a CR without LF, or an LF without CR."""


class MailData:
    """Takes what arrives. `pieces` is the mail, without the dots that SMTP adds; empty once it is `too_large`."""

    __slots__ = ("_begun", "_is_dropped", "_most", "pieces", "received", "too_large")

    def __init__(self, most: int) -> None:
        self.pieces: list[bytes] = []
        self.received = 0  #: bytes, those of unfinished lines and added dots too
        self.too_large = False  #: larger than `most` bytes, or a line without an end
        self._is_dropped = False
        self._most = most
        self._begun = b""  #: a line whose end has not come

    def add(self, data: bytes) -> bytes | None:
        """Returns what follows the end of the data, or None if more is to come. Raises BareLineEnding."""
        self.received += len(data)
        if self._begun:
            data = self._begun + data
        whole = data.rfind(b"\r\n") + 2 if b"\r\n" in data else 0
        lines, self._begun = data[:whole], data[whole:]
        if lines.startswith(b".\r\n"):
            end = 0
        else:
            found = lines.find(b"\r\n.\r\n")
            end = found + 2 if found >= 0 else -1
        if end >= 0:
            self._keep(lines[:end])
            return data[end + 3 :]
        self._keep(lines)
        begun = self._begun
        if b"\n" in begun or b"\r" in begun[:-1]:
            raise BareLineEnding
        if len(begun) > LONGEST_KEPT_LINE:
            self.too_large = True
            self.drop()
            # What is dropped must not look like the beginning of a line, nor hide half of its end.
            self._begun = b"x" + begun[-1:]
        return None

    def _keep(self, lines: bytes) -> None:
        """Whole lines."""
        count = lines.count(b"\r\n")
        if lines.count(b"\n") != count or lines.count(b"\r") != count:
            raise BareLineEnding
        if self._is_dropped or not lines:
            return
        if (
            self.received > self._most + 64 * 1024
        ):  # the dots are few; the exact size is known to what reads the mail
            self.too_large = True
            self.drop()
            return
        if lines.startswith(b"."):
            lines = lines[1:]
        if b"\r\n." in lines:
            lines = lines.replace(b"\r\n.", b"\r\n")
        self.pieces.append(lines)

    def drop(self) -> None:
        """The mail will not be stored: what has come of it, and what will, is forgotten."""
        self._is_dropped = True
        self.pieces.clear()
