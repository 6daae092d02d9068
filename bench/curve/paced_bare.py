"""Bare boto3 at a steady pace, a process of its own: as many threads as keep the pace, each with a client of its own.

Thread k of n sends mails k, k + n, ... and sleeps until each is due. CPU is that of the process from the first call that is due
to the return of the last, without startup and without the warm-up calls of each thread.
"""

import argparse
import json
import sys
import threading
import time
from typing import Any

from bench import bare, mail

_WARM_UP = 20


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench paced bare")
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--per-second", type=int, help="default: as fast as it goes")
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args(argv)
    clients = [bare.client(options.endpoint) for _ in range(options.threads)]
    warm = mail.recipients(f"{options.run}-warm", _WARM_UP * options.threads)
    for number, to in enumerate(warm):
        bare.send(clients[number % options.threads], to)
    recipients = mail.recipients(options.run, options.messages)
    problems: list[str] = []
    ready = threading.Barrier(options.threads + 1)
    latencies: list[float] = []

    def work(place: int, client: Any) -> None:
        ready.wait()
        try:
            for number in range(place, options.messages, options.threads):
                due = began + number / options.per_second if options.per_second else time.perf_counter()
                if (wait := due - time.perf_counter()) > 0:
                    time.sleep(wait)
                bare.send(client, recipients[number])
                latencies.append(time.perf_counter() - due)
        except Exception as problem:
            problems.append(str(problem))

    threads = [threading.Thread(target=work, args=(place, client)) for place, client in enumerate(clients)]
    for thread in threads:
        thread.start()
    cpu, began = time.process_time(), time.perf_counter()
    ready.wait()
    for thread in threads:
        thread.join()
    whole, wall = time.process_time(), time.perf_counter() - began
    if problems:
        print(f"bench: a bare call failed: {problems[0]}", file=sys.stderr)
        return 1
    said = {
        "cpu_seconds": whole - cpu,
        "whole_cpu_seconds": whole,
        "seconds": wall,
        "warm_up": len(warm),
        "latencies": latencies,
    }
    print(json.dumps(said))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
