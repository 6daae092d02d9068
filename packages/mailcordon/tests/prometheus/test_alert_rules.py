"""deploy/: the alert rules and the dashboard speak of metrics that exist, and each rule fires for its cause and for nothing else.
The second needs promtool (Debian: apt install prometheus)."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailcordon.adapters.prometheus.families import OF_ROLE, Family

ROOT = Path(__file__).resolve().parents[4]
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "alert-rules.yaml"
DASHBOARD = DEPLOY / "grafana-dashboard.json"
FAMILIES = {family.name: family for families in OF_ROLE.values() for family in families}
#: What Prometheus and its client library add themselves.
FOREIGN = {"up", "process_resident_memory_bytes", "process_cpu_seconds_total"}
FOREIGN_LABELS = {"job", "instance", "le"}


def rules() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def panels() -> Iterator[dict[str, Any]]:
    yield from json.loads(DASHBOARD.read_text())["panels"]


def expressions() -> dict[str, str]:
    found = {name: rule["expr"] for name, rule in rules().items()}
    for panel in panels():
        for target in panel.get("targets", ()):
            found[f"panel {panel['title']} {target['refId']}"] = target["expr"]
    return found


def family_of(name: str) -> Family:
    """The family of a series: that of a histogram has three kinds."""
    for suffix in ("_bucket", "_sum", "_count"):
        if name.endswith(suffix) and name.removesuffix(suffix) in FAMILIES:
            return FAMILIES[name.removesuffix(suffix)]
    return FAMILIES[name]


def series_in(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Each series that is named, with the labels it is selected by."""
    for name, selector in re.findall(r"\b(mailcordon_\w+|up|process_\w+)\b(\{[^}]*\})?", expression):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))


def grouped_by(expression: str) -> set[str]:
    lists = re.findall(r"\b(?:by|on|ignoring|group_left|group_right)\s*\(([^)]*)\)", expression)
    return {label.strip() for labels in lists for label in labels.split(",") if label.strip()}


@pytest.mark.parametrize("where", expressions())
def test_rules_and_panels_name_metrics_and_labels_that_exist(where: str) -> None:
    expression = expressions()[where]
    named = list(series_in(expression))
    assert named
    labels = set(FOREIGN_LABELS)
    for name, selected in named:
        if name in FOREIGN:
            continue
        family = family_of(name)
        labels |= set(family.labels)
        assert selected <= {*family.labels, *FOREIGN_LABELS}, name
    assert grouped_by(expression) <= labels


def test_an_unknown_metric_is_found() -> None:
    with pytest.raises(KeyError):
        family_of("mailcordon_no_such_metric")
    assert dict(series_in('max(mailcordon_x{a="1", b=~"2"}) > up')) == {
        "mailcordon_x": {"a", "b"},
        "up": set(),
    }


def test_every_rule_says_what_is_wrong_and_one_command() -> None:
    for name, rule in rules().items():
        assert rule["labels"]["severity"] in ("page", "ticket"), name
        said = rule["annotations"]
        assert said["summary"], name
        assert said["description"].endswith("."), name
        assert said["command"].startswith("mailcordon "), name


# With promtool -----------------------------------------------------------------------------------------------------------

QUEUE = 'queue="mailcordon-outcome"'
MAIL = 'tenant="acme",type="newsletter"'
#: A healthy installation, a value a minute.
HEALTHY = {
    'up{job="mailcordon"}': "1x30",
    "mailcordon_state_read_success": "1x30",
    'mailcordon_processes_running{role="dispatch"}': "1x30",
    'mailcordon_problems{check="stops"}': "0x30",
    "mailcordon_counts_folded_timestamp_seconds": "0+60x30",
    "mailcordon_partitions_ahead": "13x30",
    "mailcordon_oldest_snapshot_seconds": "0.1x30",
    'mailcordon_oldest_waiting_seconds{class="urgent"}': "2x30",
    'mailcordon_oldest_waiting_seconds{class="transactional"}': "20x30",
    'mailcordon_oldest_waiting_seconds{class="marketing"}': "7200x30",
    "mailcordon_dispatch_stopped": "0x30",
    'mailcordon_account_sending_enabled{cell="default"}': "1x30",
    'mailcordon_account_sent_24h{cell="default"}': "40000x30",
    'mailcordon_account_quota{cell="default"}': "50000x30",
    "mailcordon_unknown_outcomes_overdue": "0x30",
    **{f'mailcordon_call_seconds_bucket{{le="{le}"}}': "0+60x30" for le in ("0.5", "2.5", "5.0", "+Inf")},
    f'mailcordon_lane_last_hour_deliveries{{{MAIL},outcome="sent"}}': "1000x30",
    f'mailcordon_lane_last_hour_deliveries{{{MAIL},outcome="hard_bounced"}}': "9x30",
    'mailcordon_feedback_losses_open{signal="bounce"}': "0x30",
    f"mailcordon_queue_receiving{{{QUEUE}}}": "1x30",
    **{
        f'mailcordon_event_lag_seconds_bucket{{{QUEUE},le="{le}"}}': "0+60x30"
        for le in ("10.0", "300.0", "900.0", "+Inf")
    },
    f"mailcordon_queue_unverified_messages_total{{{QUEUE}}}": "0x30",
    'mailcordon_incidents_open{kind="rates",severity="high"}': "0x30",
}
#: What makes each rule fire, and it alone.
WRONG: dict[str, dict[str, str]] = {
    "MailcordonStateUnknown": {"mailcordon_state_read_success": "0x30"},
    "MailcordonRoleSilent": {'mailcordon_processes_running{role="dispatch"}': "0x30"},
    "MailcordonTargetDown": {'up{job="mailcordon"}': "0x30"},
    "MailcordonProblem": {'mailcordon_problems{check="stops",code="stopped-outage"}': "1x30"},
    "MailcordonCountsBehind": {"mailcordon_counts_folded_timestamp_seconds": "0x30"},
    "MailcordonPartitionsRunOut": {"mailcordon_partitions_ahead": "2x30"},
    "MailcordonOldSnapshot": {"mailcordon_oldest_snapshot_seconds": "61x30"},
    "MailcordonUrgentMailWaits": {'mailcordon_oldest_waiting_seconds{class="urgent"}': "31x30"},
    "MailcordonMailWaits": {'mailcordon_oldest_waiting_seconds{class="transactional"}': "601x30"},
    "MailcordonDispatchStopped": {"mailcordon_dispatch_stopped": "1x30"},
    "MailcordonAccountPaused": {'mailcordon_account_sending_enabled{cell="default"}': "0x30"},
    "MailcordonQuotaNearlyUsed": {'mailcordon_account_sent_24h{cell="default"}': "45001x30"},
    "MailcordonUnknownOutcomes": {"mailcordon_unknown_outcomes_overdue": "1x30"},
    "MailcordonSlowCalls": {
        f'mailcordon_call_seconds_bucket{{le="{le}"}}': "0+50x30" for le in ("0.5", "2.5")
    },
    "MailcordonHardBounces": {
        f'mailcordon_lane_last_hour_deliveries{{{MAIL},outcome="hard_bounced"}}': "101x30"
    },
    "MailcordonFeedbackLost": {'mailcordon_feedback_losses_open{signal="bounce"}': "1x30"},
    "MailcordonQueueNotRead": {f"mailcordon_queue_receiving{{{QUEUE}}}": "0x30"},
    "MailcordonEventsLate": {
        f'mailcordon_event_lag_seconds_bucket{{{QUEUE},le="{le}"}}': "0+50x30" for le in ("10.0", "300.0")
    },
    "MailcordonUnverifiedEvents": {f"mailcordon_queue_unverified_messages_total{{{QUEUE}}}": "0+1x30"},
    "MailcordonIncident": {'mailcordon_incidents_open{kind="rates",severity="high"}': "1x30"},
}


def test_every_rule_has_a_case() -> None:
    assert WRONG.keys() == rules().keys()


def case(name: str, series: dict[str, str], firing: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": "25m",
                "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in firing],
            }
        ],
    }


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed (Debian: apt install prometheus)")
    return found


def test_each_rule_fires_for_its_cause_and_no_rule_fires_on_a_healthy_installation(
    promtool: str, tmp_path: Path
) -> None:
    nobody_scraped = {
        name: values for name, values in HEALTHY.items() if not name.startswith("mailcordon_state_read")
    }
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            case("healthy", HEALTHY, []),
            case("control is not scraped", nobody_scraped, ["MailcordonStateUnknown"]),
            *(case(name, HEALTHY | changed, [name]) for name, changed in WRONG.items()),
        ],
    }
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(document))
    done = subprocess.run(
        [promtool, "test", "rules", str(tmp_path / "tests.yaml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_and_configuration_are_what_prometheus_reads(promtool: str) -> None:
    for kind, file in (("rules", RULES), ("config", DEPLOY / "prometheus.yaml")):
        done = subprocess.run(
            [promtool, "check", kind, str(file)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_can_read_the_expressions_of_the_dashboard(promtool: str, tmp_path: Path) -> None:
    recorded = [
        {"record": f"panel{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(expressions().values())
    ]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))
    done = subprocess.run(
        [promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
