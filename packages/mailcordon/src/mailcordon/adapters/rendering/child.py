"""The process that renders: reads requests from its standard input and answers on its standard output until that ends.

It has no settings, no environment and no file but these two. Each request has its own budget of computing time, after which
SIGPROF ends the process: so minijinja and mrml, which hold the interpreter, are bounded too, and waiting for a CPU costs
nothing. Memory is bounded by RLIMIT_AS.
"""

import os
import resource
import signal
import sys
from collections import OrderedDict
from typing import BinaryIO

import msgspec

from mailcordon.adapters.rendering import wire
from mailcordon.core.rendering_fault import RenderingFault
from mailcordon.core.template import JINJA
from mailcordon.send.rendering import engine

CPU_SECONDS = 1.0  #: for a request
MEMORY = 256 * 1024 * 1024  #: bytes beyond what the process has when it starts
CRASHED = 3  #: exit code
_KEPT = 4 * 1024 * 1024  #: bytes of sources of the templates that are kept parsed

_decode = msgspec.msgpack.Decoder(wire.Request).decode
_read_json = msgspec.json.Decoder(dict[str, object]).decode


class Templates:
    """Those that were used last, parsed."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, int], tuple[engine.Template, bool, int]] = OrderedDict()
        self._size = 0

    def answer(self, request: wire.Request) -> wire.Answer:
        try:
            if isinstance(request, wire.Compile):
                return wire.Compiled(engine.compile(wire.source(request.sources)))
            found = self._template(request)
            if found is None:
                return wire.Unknown()
            template, derive = found
            return wire.Content(*engine.render(template, _read_json(request.data), derive=derive))
        except RenderingFault as fault:
            return wire.Failed(fault.part, fault.problem, fault.line, fault.variable)

    def _template(self, request: wire.Render) -> tuple[engine.Template, bool] | None:
        if request.sources is None:
            kept = self._kept.get(request.key)
            if kept is None:
                return None
            self._kept.move_to_end(request.key)
            return kept[0], kept[1]
        source = wire.source(request.sources)
        template, derive = engine.parse(source, request.sources.compiled), source.dialect == JINJA
        if request.keep:
            size = source.size + len(request.sources.compiled or "")
            self._kept[request.key] = template, derive, size
            self._size += size
            while self._size > _KEPT and len(self._kept) > 1:
                self._size -= self._kept.popitem(last=False)[1][2]
        return template, derive


def main() -> None:
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the other process says when it ends
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    _load()
    most = _in_use() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_NOFILE, (5, 5))  # no file and no connection beside those that are open
    serve(requests, answers)


def _load() -> None:
    """What the libraries import on their first use and their first error: no file can be opened later."""
    ones = wire.Sources("jinja", "{{ a }}", None, None, "<mjml><mj-body></mj-body></mjml>", {}, None)
    templates = Templates()
    for data in (b'{"a": "1"}', b'{"a": null}', b"{}"):
        templates.answer(wire.Render((0, 0), data, ones, keep=False))
    for mjml in (ones.mjml, "<mjml>"):
        templates.answer(wire.Compile(msgspec.structs.replace(ones, mjml=mjml)))


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    templates = Templates()
    try:
        while len(head := requests.read(wire.LENGTH)) == wire.LENGTH:
            request = _decode(requests.read(int.from_bytes(head, "big")))
            signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
            answer = wire.framed(templates.answer(request))
            signal.setitimer(signal.ITIMER_PROF, 0)
            answers.write(answer)
            answers.flush()
    except BaseException:  # no memory, or a panic of a library
        os._exit(CRASHED)


def _in_use() -> int:
    """Bytes of address space."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:  # not on Linux
        return 1024 * 1024 * 1024


if __name__ == "__main__":
    main()
    sys.exit(0)
