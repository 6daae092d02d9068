"""What was read of an account, kept in a file line by line: a reading that ends early goes on from it, and a report can be made
from it without any call. It has no address of a suppression list, only how many there are.

    {"region": "eu-west-1", "on": "2026-11-30"}
    {"asked": "GetTenant", "with": {"TenantName": "acme"}, "answer": {...}}
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, TextIO, cast

from mailcordon.control.administration import SesError, Whole
from mailcordon.control.assess.reading import NOT_RECORDED, Source
from mailcordon.core.errors import BadConfig
from mailcordon.messages import assess as messages

_SUPPRESSED = "ListSuppressedDestinations"


class RecordedAccount:
    """`behind` None: only what is in the file is answered; a refusal that it has is raised again. Else what is not in the file is
    asked and kept, and what was refused is asked anew.

    Raises BadConfig if the file cannot be used.
    """

    def __init__(
        self, file: Path, behind: Source | None, *, region: str | None = None, on: date | None = None
    ) -> None:
        self._behind = behind
        self._answers: dict[str, Any] = {}
        self._refusals: dict[str, tuple[str, str]] = {}
        self._out: TextIO | None = None
        self.kept: Counter[str] = Counter()  #: answers that were in the file, by operation
        self.region, self.on = region or "", on or date.min
        try:
            self._read(file)
            if behind is not None:
                if region is not None and self.region != region:
                    raise BadConfig(
                        messages.other_region(file=str(file), recorded=self.region, region=region)
                    )
                self._append_to(file)
        except OSError as error:
            why = error.strerror or str(error)
            raise BadConfig(messages.file_not_readable(file=str(file), why=why)) from None

    def close(self) -> None:
        if self._out is not None:
            self._out.close()

    async def call(self, operation: str, **members: Any) -> Whole:
        return cast("Whole", await self._ask(operation, members, "call", ""))

    async def pages(self, operation: str, member: str, **members: Any) -> Sequence[Any]:
        return cast("Sequence[Any]", await self._ask(operation, members, "pages", member))

    async def suppressed(self) -> Mapping[str, int]:
        return cast("Mapping[str, int]", await self._ask(_SUPPRESSED, {}, "suppressed", ""))

    async def _ask(self, operation: str, members: Mapping[str, Any], how: str, member: str) -> Any:
        key = _key(operation, members)
        if key in self._answers:
            return self._answers[key]
        if self._behind is None:
            raise SesError(*self._refusals.get(key, (NOT_RECORDED, operation)))
        line: dict[str, Any] = {"asked": operation, "with": dict(members)}
        try:
            match how:
                case "pages":
                    answer: Any = await self._behind.pages(operation, member, **members)
                case "suppressed":
                    answer = await self._behind.suppressed()
                case _:
                    answer = await self._behind.call(operation, **members)
        except SesError as error:
            self._write({**line, "refused": [error.code, str(error).partition(": ")[2]]})
            raise
        self._write({**line, "answer": answer})
        self._answers[key] = answer
        return answer

    def _read(self, file: Path) -> None:
        if not file.exists() and self._behind is not None:
            return
        with file.open(encoding="utf-8") as lines:
            for number, text in enumerate(lines, 1):
                if not text.endswith("\n"):
                    return  # the process that wrote it died in the middle
                try:
                    self._take(json.loads(text), first=number == 1)
                except (ValueError, KeyError, TypeError):
                    raise BadConfig(messages.bad_recording(file=str(file), line=number)) from None

    def _take(self, line: dict[str, Any], *, first: bool) -> None:
        if first:
            self.region, self.on = str(line["region"]), date.fromisoformat(line["on"])
            return
        key = _key(str(line["asked"]), line["with"])
        if "answer" in line:
            self._answers[key] = line["answer"]
            self._refusals.pop(key, None)
            self.kept[str(line["asked"])] += 1
        else:
            code, said = line["refused"]
            self._refusals[key] = (str(code), str(said))

    def _append_to(self, file: Path) -> None:
        content = file.read_bytes() if file.exists() else b""
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with file.open("r+b") as cut:
                cut.truncate(whole)
        self._out = file.open("a", encoding="utf-8")
        if not whole:
            self._write({"region": self.region, "on": self.on.isoformat()})

    def _write(self, line: Mapping[str, Any]) -> None:
        assert self._out is not None
        self._out.write(json.dumps(line, default=str) + "\n")
        self._out.flush()


def _key(operation: str, members: Mapping[str, Any]) -> str:
    return f"{operation} {json.dumps(members, sort_keys=True, default=str)}"
