"""Every sentence that the admin API returns as `{"error": ...}`, or that `--scenario` reports at startup, as a function."""

from __future__ import annotations

from collections.abc import Iterable


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


# calls


def no_call(path: str) -> str:
    """Unknown path."""
    return f"There is no call at {path}. docs/admin-api.md lists the calls."


def wrong_method(path: str, method: str, allowed: Iterable[str]) -> str:
    """Known path, other method."""
    return f"{path} takes {_listed(allowed)}, not {method}."


def no_such(kind: str, name: str) -> str:
    """The path names something that does not exist."""
    return f"There is no {kind} {name}."


# members of a body or query


def not_json(reason: str) -> str:
    return f"The body is not JSON: {reason}."


def not_json_type(kind: str | None) -> str:
    """A body, or a Content-Type, of another type."""
    given = f"not {kind[:100]}" if kind else "but has none"
    return f"The request must have Content-Type: application/json, {given}."


def body_not_object() -> str:
    return "The body is not a JSON object."


def unknown_member(name: str, known: Iterable[str]) -> str:
    return f"Unknown member {name}. Known members: {_listed(known)}."


def missing(name: str, choices: Iterable[str]) -> str:
    return f"{name} is missing. It must be one of {_listed(choices)}."


def must_be(name: str, what: str) -> str:
    """A member of the wrong type."""
    return f"{name} must be {what}."


def must_be_one_of(name: str, choices: Iterable[str], given: str) -> str:
    return f"{name} must be one of {_listed(choices)}, not {given}."


def out_of_range(name: str, low: float, high: float, *, whole: bool = False) -> str:
    return f"{name} must be a {'whole ' if whole else ''}number from {_number(low)} to {_number(high)}."


def not_a_time(name: str) -> str:
    return f"{name} must be a time before the year 9000, such as 1767225600 or 2026-01-01T00:00:00Z."


# the ledger


def not_in_ledger(message_id: str) -> str:
    return f"There is no mail {message_id} in the ledger."


def no_html(message_id: str) -> str:
    return f"The ledger has no HTML of the mail {message_id}."


def no_source(message_id: str) -> str:
    """The mail is not in the ledger, its content was dropped to save memory, or its template could not be rendered."""
    return f"The ledger has no source of the mail {message_id}."


def unknown_event_filter(name: str, known: Iterable[str]) -> str:
    return f"Unknown filter {name}. Known filters: {_listed(known)}."


def unknown_filter(name: str, known: Iterable[str]) -> str:
    return f"Unknown filter {name}. Known filters: tag.NAME, {_listed(known)}."


# mailboxes


def mailbox_not_set(address: str, tenant: str | None) -> str:
    return f"The mailbox {address} is not set {f'for tenant {tenant}' if tenant else 'for all tenants'}."


def not_an_address(address: str) -> str:
    return f"{address} is not an address. Use *@domain for all addresses of a domain, *@*.domain for those of its subdomains."


def nothing_follows(fate: str) -> str:
    return f"then is allowed for delivers and defers only, not for {fate}."


def unknown_subtype(subtype: str | None, fate: str) -> str:
    return f"{subtype} is not a subtype for {fate}."


# clock


def at_and_advance() -> str:
    return "Give at or advance, not both."


def advance_too_far() -> str:
    return "advance must not lead beyond the year 9000."


def clock_is_moving(to: str) -> str:
    return f"The clock is moving to {to} and cannot be set meanwhile. GET /_seslocal/clock?wait=60 returns when it is there."


def clock_was_stopped(to: str) -> str:
    return f"The account was reset, or the server closed, before the clock was at {to}."


def not_settled(seconds: float, due: int, endpoints: Iterable[str]) -> str:
    """`due`: whether something is due still; `endpoints`: URLs that were sent a message and have not answered."""
    urls = tuple(endpoints)
    what = [f"no answer from {_listed(urls)}"] if urls else []
    if due:
        what.append("events are still due, because mail keeps coming or --event-delay is long")
    found = "; ".join(what) or "the clock is still moving"
    return (
        f"Not settled after {seconds:g} seconds: {found}. An endpoint on the event loop of the test that waits cannot answer: "
        "settle in another thread (await asyncio.to_thread(seslocal.settle))."
        if urls
        else f"Not settled after {seconds:g} seconds: {found}."
    )


def frozen_and_speed() -> str:
    return "frozen and speed disagree: a frozen clock has speed 0."


# account, keys, dedicated IPs, tenants


def unknown_switch(name: str, known: Iterable[str]) -> str:
    return f"Unknown switch {name}. Known switches: {_listed(known)}."


def not_on_global_list(address: str) -> str:
    return f"{address} is not on the global list."


def bad_key_id() -> str:
    return "An access key id must have 1 to 128 letters, digits or characters of _ . @ + -"


def secret_missing() -> str:
    return "secret is missing. Requests are signed with it."


def only_temporary_keys_expire() -> str:
    return "expires needs session_token: only temporary credentials expire."


def too_many_keys(most: int) -> str:
    return f"There are already {most} access keys. Delete one first."


def policy_refused(name: str, reason: str) -> str:
    """A document that is not evaluated as a whole is not attached."""
    return f"The policy {name} was not attached: {reason}"


def too_many_policies(most: int) -> str:
    return f"A key has at most {most} policies."


def policy_too_long(most: int) -> str:
    return f"A policy document has at most {most:,} characters, without white space."


def bad_principal() -> str:
    return (
        "principal must be the ARN of a user or role, such as arn:aws:iam::123456789012:role/mailcordon-send."
    )


def policies_unreadable(path: str, reason: str | None) -> str:
    """At startup, with --policy."""
    return f"cannot read the policies {path}: {reason}."


def too_few_ips(most: int, left: int) -> str:
    return f"Only {left} of {most} dedicated IPs are left."


def not_leased(ip: str) -> str:
    return f"The dedicated IP {ip} is not leased."


def no_open_finding(tenant: str, kind: str) -> str:
    return f"The tenant {tenant} has no open finding of type {kind}."


# DNS, streams, jobs


def record_incomplete() -> str:
    return "A record needs name, type and value, such as a.example, TXT and v=spf1 -all."


def no_record(name: str, kind: str | None) -> str:
    return f"{name} has no {f'{kind} ' if kind else ''}record."


def dns_fault_missing() -> str:
    return "A DNS fault needs one of rcode, delay, truncate, no_tcp and lame."


def too_many_dns_faults(most: int) -> str:
    return f"{most:,} names have DNS faults. Delete one first."


def no_dns_fault(name: str) -> str:
    return f"{name} has no DNS fault."


def stream_url_missing() -> str:
    return "url is missing. It is the HTTP or HTTPS endpoint that the stream delivers to."


def stream_not_set(name: str) -> str:
    return f"The stream {name} has no endpoint. Set one with PUT /_seslocal/streams/{name}."


def no_job_file(job_id: str, name: str) -> str:
    return f"The job {job_id} wrote no file {name}."


# faults


def no_fault(fault_id: str) -> str:
    return f"There is no active fault {fault_id}. It was used up, has ended or was removed."


def paused_tenant_missing() -> str:
    return "tenant_paused needs tenant: the tenant to pause."


def skew_missing() -> str:
    return "clock_skew needs seconds: how far SES's clock is ahead (negative: behind)."


def unknown_event(name: str, known: Iterable[str]) -> str:
    return f"Unknown event {name}. Known events: {_listed(known)}."


def unknown_operation(name: str) -> str:
    return f"SES has no operation {name}. Use * for all operations."


# scenarios


def scenario_unreadable(path: str, reason: str | None) -> str:
    """At startup, with --scenario."""
    return f"cannot read the scenario {path}: {reason}."


def scenario_malformed(path: str, reason: str) -> str:
    """At startup, with --scenario."""
    return f"the scenario {path} is not valid TOML or JSON: {reason}."


def scenario_without_steps(path: str) -> str:
    """At startup, with --scenario."""
    return f"the scenario {path} has no steps: it must be a list, or contain [[step]]."


def in_step(number: int, error: str) -> str:
    """Steps count from 1."""
    return f"Step {number}: {error}"


def step_needs_fault_or_call() -> str:
    return 'A step needs fault, or call such as "PUT /mailboxes/kim@example.com".'


# the world


def world_file_unreadable(path: str, reason: str) -> str:
    """At startup, with --world."""
    return f"cannot read the world {path}: {reason}."


def world_file_malformed(path: str, reason: str) -> str:
    """At startup, with --world."""
    return f"the world {path} is not valid TOML or JSON: {reason}."


def world_file_refused(path: str, reason: str) -> str:
    """At startup, with --world. `reason` is a sentence."""
    return f"the world {path} is refused: {reason}"


def no_world() -> str:
    return "There is no world behind this account. Make one with PUT /_seslocal/world."


def wrong_world(reason: str) -> str:
    return f"These are no settings of a world: {reason}."


def not_in_world(message_id: str) -> str:
    return f"The world knows no mail {message_id}: it never reached the world, or newer mails took its place."


def unknown_parameter(name: str, known: Iterable[str]) -> str:
    return f"Unknown parameter {name}. Known parameters: {_listed(known)}."


def without_or_tenant() -> str:
    return "Give without (whom to leave out) or tenant (whose losses to explain), and not both."


def sent_nothing(tenant: str) -> str:
    return f"The tenant {tenant} has sent nothing into this world."


def world_is_gone() -> str:
    return "The world was removed or replaced, or the account was reset, before its mails were played."


def no_smtp() -> str:
    return "There is no SMTP door: start seslocal with --smtp-port."
