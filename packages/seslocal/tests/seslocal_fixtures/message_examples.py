"""Examples of the sentences in the messages modules, and docs/messages.md made from them: `./dev messages` runs this file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from seslocal import messages as program
from seslocal.admin import messages as admin
from seslocal.admin.dedicated_ip_calls import MOST_IPS
from seslocal.fleets import messages as fleets
from seslocal.iam.conditions import KEYS, NULL, OPERATORS
from seslocal.page import messages as page
from seslocal.state.configuration_sets import MATCHING
from seslocal.state.faults import KINDS
from seslocal.state.mailboxes import FATES
from seslocal.state.settings import Behaviour
from seslocal.wire.access_keys import MOST as MOST_KEYS

Message = Callable[..., str]

SURFACES = {
    "Command line": program,
    "Admin API and scenarios": admin,
    "Page": page,
    "Scenarios of the world": fleets,
}
MAIL_ID = "0100019b7702f800-5d0f9e0a-4c9e-4f0f-8b1e-2d3c4b5a6978-000000"
STATE = "/var/lib/seslocal/journal"
FILTERS = ("recipient", "tenant", "configuration_set", "limit", "after", "order")
MAILBOX_MEMBERS = ("fate", "tenant", "subtype", "then", "seconds", "delays", "diagnostic", "opens", "clicks")

EXAMPLES: list[tuple[Message, dict[str, Any]]] = [
    (program.ready, {"url": "http://127.0.0.1:8005", "region": "us-east-1"}),
    (program.exposed, {"where": "0.0.0.0:8005", "url": "http://127.0.0.1:8005", "token": "jGqXo0...", "unsigned": False}),
    (program.exposed, {"where": "0.0.0.0:8005", "url": "http://127.0.0.1:8005", "token": None, "unsigned": True}),
    (program.bad_token, {}),
    (program.bad_host_name, {"text": "seslocal:8005"}),
    (program.host_not_allowed, {"host": "ses.example:8005"}),
    (program.from_another_origin, {"who": "https://shop.example"}),
    (program.from_another_origin, {"who": "cross-site"}),
    (program.change_by_link, {}),
    (program.token_missing, {}),
    (program.token_wrong, {}),
    (program.refused_unsigned, {}),
    (program.refused_region, {"region": "eu-west-1", "own": "us-east-1"}),
    (program.refused_key, {"key": "AKIAIOSFODNN7EXAMPLE"}),
    (program.refused_secret, {"key": "test", "known": True}),
    (program.refused_secret, {"key": "app", "known": False}),
    (program.refused_time, {}),
    (program.refused_otherwise, {"reason": "Credential should be scoped to correct service: 'ses'."}),
    (program.boto3_is_not_installed, {}),
    (
        program.waited_in_vain,
        {
            "seconds": 5.0,
            "seen": "bounced returned None",
            "instead": program.seen_instead(
                1,
                ["kim@example.com (Welcome)"],
                ["Send of kim@example.com", "Bounce of kim@example.com"],
                ["events 2 ready, 0 hidden"],
                {"sent": 0, "dropped": 0, "waiting": 1},
            ),
        },
    ),
    (
        program.seen_instead,
        {"total": 0, "mails": [], "events": [], "queues": [], "outbox": {"sent": 0, "dropped": 0, "waiting": 0}},
    ),
    (program.dns_ready, {"host": "127.0.0.1", "port": 5353}),
    (program.smtp_ready, {"host": "127.0.0.1", "port": 8587, "url": "http://127.0.0.1:8005"}),
    (program.smtp_is_not_installed, {}),
    (program.refused_smtp_user, {"user": "AKIAEXAMPLE"}),
    (program.refused_smtp_password, {"user": "test", "region": "us-east-1", "is_secret": False}),
    (program.refused_smtp_password, {"user": "test", "region": "us-east-1", "is_secret": True}),
    (program.failed, {"what": admin.scenario_unreadable("faults.toml", "No such file or directory")}),
    (program.cannot_listen, {"host": "127.0.0.1", "port": 8005, "dns_port": None, "reason": "Address already in use"}),
    (program.cannot_listen, {"host": "127.0.0.1", "port": 8005, "dns_port": 5353, "reason": "Address already in use"}),
    (
        program.cannot_listen,
        {"host": "127.0.0.1", "port": 8005, "dns_port": 5353, "smtp_port": 8587, "reason": "Address already in use"},
    ),
    (program.cannot_write_ready, {"where": "/run/seslocal.json", "reason": "Permission denied"}),
    (program.scenario_refused, {"path": "faults.toml", "reason": admin.in_step(2, admin.step_needs_fault_or_call())}),
    (
        program.state_set_aside,
        {"path": STATE, "moved_to": "journal.unusable-1", "reason": program.state_version("2", "1")},
    ),
    (program.state_set_aside, {"path": STATE, "moved_to": "journal.unusable-1", "reason": program.state_foreign()}),
    (
        program.state_set_aside,
        {
            "path": STATE,
            "moved_to": "journal.unusable-1",
            "reason": program.state_of_another_account("us-east-1 123456789012", "eu-west-1 123456789012"),
        },
    ),
    (
        program.state_set_aside,
        {
            "path": STATE,
            "moved_to": "journal.unusable-1",
            "reason": program.state_unreadable("ValidationError: Expected `str`, got `int`"),
        },
    ),
    (
        program.state_damaged,
        {"path": STATE, "copied_to": "journal.damaged-1", "used": 81_920, "size": 90_112},
    ),
    (program.state_not_written, {"path": STATE, "reason": "No space left on device"}),
    (program.state_written_again, {"path": STATE}),
    (program.state_in_use, {"path": "/var/lib/seslocal"}),
    (program.state_not_usable, {"path": "/var/lib/seslocal", "reason": "Permission denied"}),
    (program.state_version, {"found": "2", "own": "1"}),
    (program.state_foreign, {}),
    (program.state_of_another_account, {"found": "us-east-1 123456789012", "own": "eu-west-1 123456789012"}),
    (program.state_unreadable, {"error": "ValidationError: Expected `str`, got `int`"}),
    (program.not_like, {"text": "12345", "expected": "an account id of 12 digits"}),
    (program.not_in_range, {"text": "70000", "kind": "whole number", "low": 0, "high": 65535}),
    (program.dns_is_not_installed, {}),
    (program.simulation_without, {"name": "CallerArn"}),
    (program.policy_not_an_object, {}),
    (program.policy_element_unknown, {"name": "Conditions", "known": ("Action", "Condition", "Effect")}),
    (program.policy_version_unknown, {"version": "2020-01-01", "known": ("2012-10-17", "2008-10-17")}),
    (program.policy_without_statement, {}),
    (program.policy_statement_not_an_object, {}),
    (program.policy_sid_wrong, {"sid": "only mailcordon"}),
    (program.policy_sid_twice, {"sid": "Send"}),
    (program.policy_effect_wrong, {"effect": "allow"}),
    (program.policy_with_principal, {"name": "Principal"}),
    (program.policy_without_principal, {}),
    (program.policy_needs_one_of, {"name": "Action"}),
    (program.policy_needs_texts, {"name": "Resource"}),
    (program.policy_variable, {"text": "arn:aws:ses:us-east-1:123456789012:identity/${aws:username}"}),
    (program.policy_action_wrong, {"action": "SendEmail"}),
    (program.policy_arn_incomplete, {"arn": "arn:aws:ses"}),
    (program.policy_condition_not_an_object, {}),
    (program.policy_operator_unknown, {"operator": "IpAddress", "known": [*OPERATORS, NULL]}),
    (program.policy_operator_not_for_key, {"operator": "ArnLike", "key": "ses:TenantName", "kind": "arn"}),
    (program.policy_key_unknown, {"key": "aws:SourceIp", "known": [name for name, _ in KEYS.values()]}),
    (program.policy_key_has_many_values, {"key": "ses:Recipients"}),
    (program.policy_needs_boolean, {"operator": "Null", "key": "ses:TenantName"}),
    (admin.no_call, {"path": "/_seslocal/mail"}),
    (admin.wrong_method, {"path": "/_seslocal/clock", "method": "POST", "allowed": ("GET", "PUT")}),
    (admin.no_such, {"kind": "tenant", "name": "acme"}),
    (admin.no_such, {"kind": "dedicated IP pool", "name": "marketing"}),
    (admin.not_json, {"reason": "JSON is malformed: invalid character (byte 1)"}),
    (admin.not_json_type, {"kind": "text/plain"}),
    (admin.not_json_type, {"kind": None}),
    (admin.body_not_object, {}),
    (admin.unknown_member, {"name": "fates", "known": MAILBOX_MEMBERS}),
    (admin.missing, {"name": "fate", "choices": FATES}),
    (admin.must_be, {"name": "tenant", "what": "a string that is not empty"}),
    (admin.must_be, {"name": "A record", "what": "an object with name, type and value"}),
    (admin.must_be_one_of, {"name": "order", "choices": ("oldest", "newest"), "given": "first"}),
    (admin.out_of_range, {"name": "limit", "low": 1, "high": 1000, "whole": True}),
    (admin.out_of_range, {"name": "seconds", "low": 0.0, "high": 900.0}),
    (admin.not_a_time, {"name": "at"}),
    (admin.not_in_ledger, {"message_id": MAIL_ID}),
    (admin.no_html, {"message_id": MAIL_ID}),
    (admin.no_source, {"message_id": MAIL_ID}),
    (admin.unknown_event_filter, {"name": "kind", "known": ("type", "recipient", "message_id")}),
    (admin.not_settled, {"seconds": 10.0, "due": 0, "endpoints": ("http://127.0.0.1:9000/sns",)}),
    (admin.not_settled, {"seconds": 10.0, "due": 1, "endpoints": ()}),
    (admin.unknown_filter, {"name": "subject", "known": FILTERS}),
    (admin.mailbox_not_set, {"address": "kim@example.com", "tenant": "acme"}),
    (admin.mailbox_not_set, {"address": "kim@example.com", "tenant": None}),
    (admin.not_an_address, {"address": "example.com"}),
    (admin.nothing_follows, {"fate": "bounces"}),
    (admin.unknown_subtype, {"subtype": "Unreachable", "fate": "bounces"}),
    (admin.at_and_advance, {}),
    (admin.advance_too_far, {}),
    (admin.clock_is_moving, {"to": "2026-01-01T01:00:00.000Z"}),
    (admin.clock_was_stopped, {"to": "2026-01-01T01:00:00.000Z"}),
    (admin.frozen_and_speed, {}),
    (admin.unknown_switch, {"name": "strict", "known": sorted(Behaviour.__dataclass_fields__)}),
    (admin.not_on_global_list, {"address": "kim@example.com"}),
    (admin.bad_key_id, {}),
    (admin.secret_missing, {}),
    (admin.only_temporary_keys_expire, {}),
    (admin.too_many_keys, {"most": MOST_KEYS}),
    (admin.policy_refused, {"name": "office", "reason": program.policy_effect_wrong("allow")}),
    (admin.too_many_policies, {"most": 20}),
    (admin.policy_too_long, {"most": 10_240}),
    (admin.bad_principal, {}),
    (admin.policies_unreadable, {"path": "app.json", "reason": "No such file or directory"}),
    (admin.too_few_ips, {"most": MOST_IPS, "left": 3}),
    (admin.not_leased, {"ip": "198.51.100.7"}),
    (admin.no_open_finding, {"tenant": "acme", "kind": "BOUNCE"}),
    (admin.record_incomplete, {}),
    (admin.no_record, {"name": "a.example", "kind": "TXT"}),
    (admin.no_record, {"name": "a.example", "kind": None}),
    (admin.dns_fault_missing, {}),
    (admin.too_many_dns_faults, {"most": 1000}),
    (admin.no_dns_fault, {"name": "a.example"}),
    (admin.no_smtp, {}),
    (admin.stream_url_missing, {}),
    (admin.stream_not_set, {"name": "events"}),
    (admin.no_job_file, {"job_id": "2f1c7a90-64d4-4d0e-8f0c-9a9e4d5b1c33", "name": "export.csv"}),
    (admin.no_fault, {"fault_id": "5d0f9e0a"}),
    (admin.paused_tenant_missing, {}),
    (admin.skew_missing, {}),
    (admin.unknown_event, {"name": "Bounced", "known": MATCHING}),
    (admin.unknown_operation, {"name": "SendMail"}),
    (admin.scenario_unreadable, {"path": "faults.toml", "reason": "No such file or directory"}),
    (admin.scenario_malformed, {"path": "faults.toml", "reason": "Invalid value (at line 3, column 6)"}),
    (admin.scenario_without_steps, {"path": "faults.toml"}),
    (admin.in_step, {"number": 2, "error": admin.missing("fault", KINDS)}),
    (admin.step_needs_fault_or_call, {}),
    (admin.world_file_unreadable, {"path": "world.toml", "reason": "No such file or directory"}),
    (admin.world_file_malformed, {"path": "world.toml", "reason": "Expected '=' after a key (at line 3, column 9)"}),
    (
        admin.world_file_refused,
        {"path": "world.toml", "reason": admin.wrong_world("Expected `int`, got `str` - at `$.seed`")},
    ),
    (admin.no_world, {}),
    (admin.wrong_world, {"reason": "Expected `int`, got `str` - at `$.seed`"}),
    (admin.not_in_world, {"message_id": MAIL_ID}),
    (admin.unknown_parameter, {"name": "tennant", "known": ("tenant", "provider", "ended")}),
    (admin.without_or_tenant, {}),
    (admin.sent_nothing, {"tenant": "acme"}),
    (admin.world_is_gone, {}),
    (page.not_in_ledger, {"message_id": MAIL_ID}),
    (page.clock_frozen, {"time": "2026-01-01 00:00:00"}),
    (page.clock_moving, {"time": "2026-01-01 01:00:00"}),
    (page.clock_speed, {"speed": 3600.0}),
    (page.active_faults, {"count": 1}),
    (page.active_faults, {"count": 2}),
    (page.held, {"count": 1}),
    (page.watched, {"count": 2}),
    (page.set_off, {"name": "news"}),
    (page.tenant_paused_by_customer, {"name": "acme"}),
    (page.tenant_paused_by_aws, {"name": "acme"}),
    (page.tenant_has_finding, {"name": "acme", "kind": "BOUNCE", "impact": "HIGH"}),
    (page.more_events, {"count": 1200}),
    (page.and_more, {"count": 1200}),
    (fleets.no_such_scenario, {"name": "bought", "shipped": ("bought-list", "runaway-loop")}),
    (fleets.scenario_unreadable, {"path": "week.toml", "reason": "No such file or directory"}),
    (fleets.scenario_not_toml, {"source": "week.toml", "reason": "Invalid value (at line 3, column 6)"}),
    (
        fleets.scenario_wrong,
        {
            "source": "week.toml",
            "line": 12,
            "path": "$.groups[1].kind",
            "sentence": fleets.unknown_member("kind", ("name", "count", "type")),
        },
    ),
    (fleets.unknown_member, {"name": "kind", "known": ("name", "count", "type")}),
    (fleets.member_missing, {"name": "start"}),
    (fleets.not_one_of, {"given": "hotmail", "choices": ("gmail", "microsoft", "yahoo")}),
    (fleets.no_match, {"form": 'a span such as "90m", "6h" or "2d"'}),
    (fleets.plain, {"sentence": "Expected `int`, got `str`"}),
    (fleets.name_twice, {"name": "shops"}),
    (fleets.shares_above_one, {}),
    (fleets.no_such_tenant, {"name": "shops-17", "examples": ("shops-001", "shops-002")}),
    (fleets.after_the_end, {"moment": "day 9 09:00", "days": 7}),
    (fleets.no_limit, {}),
    (fleets.not_a_tenant_here, {"name": "shops-17", "examples": ("apps", "shops")}),
    (fleets.cannot_write, {"path": "/var/log/week.jsonl", "reason": "Permission denied"}),
    (fleets.fine, {"path": "week.toml", "tenants": 200, "mails": 602_000.0, "days": 7}),
    (
        fleets.summary,
        {"mails": 602_000, "attempts": 614_000, "cpu": 30.0, "seconds": 30.1, "python": "CPython 3.13.1, PGO and LTO"},
    ),
    (fleets.too_many_tenants, {"count": 120_000, "most": 100_000}),
    (fleets.file_too_large, {"path": "week.toml", "most": 1_000_000}),
    (fleets.nested_too_deeply, {}),
    (
        fleets.too_large,
        {
            "tenants": 10_000,
            "mails": 7e9,
            "busiest": 9e7,
            "days": 7,
            "needed": 4e10,
            "most": 8e9,
        },
    ),
    (fleets.incident_named_twice, {"name": "bought_list", "tenant": "shops-017"}),
    (fleets.name_reserved, {"name": "users"}),
    (fleets.name_of_a_list, {"name": "shops-users", "tenant": "shops"}),
    (fleets.limits_crossed, {"least": 0.9, "most": 0.1}),
    (fleets.not_finite, {"member": "at_least"}),
    (fleets.until_before_since, {"since": "day 3 09:00", "until": "day 2 09:00"}),
    (fleets.cannot_print, {"reason": "No space left on device"}),
    (fleets.answered_for, {"given": 3, "asked": 4, "tenant": "shops-017"}),
    (fleets.answered_nan, {"tenant": "shops-017"}),
    (fleets.expectations_missed, {"missed": ["The list is stopped early"], "count": 5}),
    (fleets.progress, {"days": 2.0, "mails": 172_000}),
    (fleets.not_a_number, {"text": "x", "least": 1, "most": 366}),
    (fleets.not_a_factor, {"text": "0"}),
]  # fmt: skip


def functions(module: ModuleType) -> list[Message]:
    return [
        value
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    ]


def examples(message: Message) -> list[str]:
    return [message(**values) for each, values in EXAMPLES if each is message]


def markdown() -> str:
    """Returns docs/messages.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Messages"
    yield ""
    yield "The sentences of the command line, the admin API and the page, with example values. Help texts and the errors of SES,"
    yield "SNS and SQS are not included. `./dev messages` writes this page; a test fails when it is not current."
    for title, module in SURFACES.items():
        yield from ("", f"## {title}", "", " ".join((module.__doc__ or "").split()))
        for name, value in vars(module).items():
            if name.isupper() and isinstance(value, str):
                yield from ("", f"### {name}", "", f"    {value}")
        for message in functions(module):
            yield from ("", f"### {message.__name__}")
            if message.__doc__:
                yield from ("", " ".join(message.__doc__.split()))
            for text in examples(message):
                yield from ("", *(f"    {line}".rstrip() for line in text.splitlines()))


if __name__ == "__main__":
    print(markdown(), end="")
