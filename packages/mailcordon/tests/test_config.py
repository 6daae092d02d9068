"""Settings: each wrong one is a sentence, and no variable in the environment alone sends mail."""

import dataclasses
from pathlib import Path

import pytest

from mailcordon import config
from mailcordon.config import Config
from mailcordon.core.errors import BadConfig
from mailcordon.door.limits import Limits
from mailcordon.run.environment import plain_environment, role_environment

DOCS = Path(__file__).resolve().parents[3] / "docs" / "operations.md"
KEYS = ("a" * 43 + "=", "b" * 43 + "=")
AWS = {
    "MAILCORDON_SES": "aws",
    "MAILCORDON_INSTALLATION": "prod",
    "MAILCORDON_SECRET_KEYS": ",".join(KEYS),
    "MAILCORDON_OUTCOME_QUEUE_URL": "https://sqs/1/o",
    "MAILCORDON_ENGAGEMENT_QUEUE_URL": "https://sqs/1/e",
    "MAILCORDON_OUTCOME_TOPIC_ARN": "arn:aws:sns:eu-west-1:1:o",
    "MAILCORDON_ENGAGEMENT_TOPIC_ARN": "arn:aws:sns:eu-west-1:1:e",
}


def read(tmp_path: Path, **settings: str) -> Config:
    return config.read({"MAILCORDON_HOME": str(tmp_path), **settings})


def test_nothing_set_is_a_local_system_on_this_machine_alone(tmp_path: Path):
    found = read(tmp_path)
    assert found.local
    assert found.api_host == "127.0.0.1"
    assert found.outcome_topic_arn == "arn:aws:sns:us-east-1:123456789012:mailcordon-outcome"


def test_credentials_in_the_environment_do_not_choose_aws(tmp_path: Path):
    found = read(tmp_path, AWS_ACCESS_KEY_ID="AKIA", AWS_SECRET_ACCESS_KEY="x", AWS_REGION="eu-west-1")
    assert (found.ses, found.access_key, found.region) == ("local", "test", "us-east-1")


def test_aws_takes_nothing_for_granted(tmp_path: Path):
    with pytest.raises(BadConfig) as wrong:
        read(tmp_path, MAILCORDON_SES="aws")
    missing = {name for name in AWS if name != "MAILCORDON_SES"}
    assert {
        name for name in missing if any(name in sentence for sentence in wrong.value.sentences)
    } == missing


def test_aws_with_everything_named_leaves_credentials_to_botocore(tmp_path: Path):
    found = read(tmp_path, **AWS)
    assert (found.access_key, found.ses_endpoint, found.secret_keys) == (None, None, KEYS)


def test_each_kind_of_calls_may_have_an_aws_profile_of_its_own(tmp_path: Path):
    assert read(tmp_path, **AWS).profiles == {}
    names = {kind: f"mailcordon-{kind}" for kind in ("send", "administer", "observe")}
    settings = {f"MAILCORDON_{kind.upper()}_PROFILE": name for kind, name in names.items()}
    assert read(tmp_path, **AWS, **settings).profiles == names
    with pytest.raises(BadConfig, match="MAILCORDON_SEND_PROFILE"):
        read(tmp_path, **AWS, MAILCORDON_SEND_PROFILE="two words")


def test_the_queue_of_management_events_is_optional_on_aws(tmp_path: Path):
    assert read(tmp_path, **AWS).management_queue_url is None
    url = "https://sqs/1/m"
    assert read(tmp_path, **AWS, MAILCORDON_MANAGEMENT_QUEUE_URL=url).management_queue_url == url


def test_a_secret_key_in_the_home_is_not_enough_for_aws(tmp_path: Path):
    (tmp_path / "secret-keys").write_text(KEYS[0] + "\n")
    assert read(tmp_path).secret_keys == KEYS[:1]
    with pytest.raises(BadConfig, match="MAILCORDON_SECRET_KEYS"):
        read(tmp_path, **{**AWS, "MAILCORDON_SECRET_KEYS": ""})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MAILCORDON_SES", "amazon", "local or aws"),
        ("MAILCORDON_API_PORT", "80a", "whole number"),
        ("MAILCORDON_API_PORT", "70000", "65535"),
        ("MAILCORDON_CALL_SLOTS", "0", "from 1"),
        ("MAILCORDON_REGION", "Frankfurt", "us-east-1"),
        ("MAILCORDON_INSTALLATION", "My Platform", "a-z"),
        ("MAILCORDON_SES_ENDPOINT", "localhost:8005", "http://"),
        ("MAILCORDON_DATABASE_URL", "mysql://root:hunter2@db/x", "postgresql://"),
        ("MAILCORDON_LOG", "xml", "text or json"),
        ("MAILCORDON_TRUSTED_PROXIES", "proxy.internal", "10.0.0.0/8"),
        ("MAILCORDON_TLS_CERTIFICATE", "/no/such.pem", "PEM"),
        ("MAILCORDON_BODY_MEMORY_MB", "16", "from 48"),
        ("MAILCORDON_DATABSE_URL", "postgresql://x", "did you mean MAILCORDON_DATABASE_URL?"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_takes(tmp_path: Path, name: str, value: str, words: str):
    with pytest.raises(BadConfig) as wrong:
        read(tmp_path, **{name: value})
    assert name in str(wrong.value)
    assert words in str(wrong.value)
    assert "hunter2" not in str(wrong.value)


def test_a_certificate_needs_its_key(tmp_path: Path):
    (tmp_path / "tls.pem").touch()
    with pytest.raises(BadConfig, match="MAILCORDON_TLS_KEY belong together"):
        read(tmp_path, MAILCORDON_TLS_CERTIFICATE=str(tmp_path / "tls.pem"))


def test_every_limit_of_the_door_is_a_setting_with_the_same_default(tmp_path: Path):
    assert read(tmp_path).limits == Limits()
    names = {
        "head_seconds": "MAILCORDON_HEAD_SECONDS",
        "body_memory": "MAILCORDON_BODY_MEMORY_MB",
        "pipelined": "MAILCORDON_PIPELINED_REQUESTS",
    }
    for limit in dataclasses.fields(Limits):
        name = names.get(limit.name, f"MAILCORDON_{limit.name.upper()}")
        value = "99" if name == "MAILCORDON_PIPELINED_REQUESTS" else "2048"
        assert getattr(read(tmp_path, **{name: value}).limits, limit.name) != limit.default, name


def test_management_calls_are_limited_on_aws_and_not_locally(tmp_path: Path):
    assert read(tmp_path).ses_calls_per_second is None
    assert read(tmp_path, **AWS).ses_calls_per_second == 1
    rates = {
        "MAILCORDON_SES_CALLS_PER_SECOND": "0.5",
        "MAILCORDON_SES_CALL_RATES": "GetTenant=2, GetAccount=0.5",
    }
    given = read(tmp_path, **rates)
    assert given.ses_calls_per_second == 0.5
    assert given.ses_call_rates == {"GetTenant": 2, "GetAccount": 0.5}


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path):
    with pytest.raises(BadConfig) as wrong:
        read(tmp_path, MAILCORDON_LOG="xml", MAILCORDON_CALL_SLOTS="many")
    assert len(wrong.value.sentences) == 2


def test_what_up_hands_to_a_role_reads_as_what_it_found_out(tmp_path: Path):
    urls = {login: f"postgresql://{login}@/x" for login in config.LOGINS}
    found = dataclasses.replace(
        read(tmp_path, MAILCORDON_CELL="eu"),
        login_urls=urls,
        ses_endpoint="http://127.0.0.1:1",
        sqs_endpoint="http://127.0.0.1:1",
        outcome_queue_url="http://127.0.0.1:1/123456789012/mailcordon-outcome",
        engagement_queue_url="http://127.0.0.1:1/123456789012/mailcordon-engagement",
        management_queue_url="http://127.0.0.1:1/123456789012/mailcordon-management",
        secret_keys=KEYS,
    )
    for role, logins in config.PROCESS_LOGINS.items():
        environment = role_environment({"MAILCORDON_CELL": "eu", "PATH": "/bin"}, role, found)
        expected = dataclasses.replace(found, login_urls={login: urls[login] for login in logins})
        assert config.read(environment, role) == expected


def test_up_counts_the_metrics_ports_of_its_roles_on_from_the_one_that_is_set(tmp_path: Path):
    urls = {login: f"postgresql://{login}@/x" for login in config.LOGINS}

    def ports(**settings: str) -> dict[str, str | None]:
        found = dataclasses.replace(read(tmp_path, **settings), login_urls=urls)
        return {
            role: role_environment(settings, role, found).get("MAILCORDON_METRICS_PORT")
            for role in config.PROCESS_LOGINS
        }

    assert ports(MAILCORDON_METRICS_PORT="9100") == {
        "api": "9100",
        "dispatch": "9101",
        "observe": "9102",
        "control": "9103",
        "smtp": "9104",
        "dashboard": "9105",
    }
    assert set(ports(MAILCORDON_METRICS_PORT="0").values()) == {"0"}
    assert set(ports().values()) == {None}


def test_metrics_beyond_private_addresses_need_a_token(tmp_path: Path):
    for host in ("127.0.0.1", "::1", "10.1.2.3", "fd00::1", "localhost"):
        found = read(tmp_path, MAILCORDON_METRICS_HOST=host).metrics
        assert found is not None
        assert found.host == host
    token = "0123456789abcdef"
    found = read(tmp_path, MAILCORDON_METRICS_HOST="0.0.0.0", MAILCORDON_METRICS_TOKEN=token).metrics
    assert found is not None
    assert found.token == token
    assert token not in repr(found)
    assert read(tmp_path, MAILCORDON_METRICS="off").metrics is None


def test_no_role_sees_migrates_database_or_foreign_credentials(tmp_path: Path):
    ours = {
        "PATH": "/bin",
        "AWS_ACCESS_KEY_ID": "AKIA",
        "MAILCORDON_DATABASE_URL": "postgresql://postgres:secret@/x",
        "MAILCORDON_DATABASE_URL_CONTROL": "postgresql://control@/x",
    }
    urls = {login: f"postgresql://{login}@/x" for login in config.LOGINS}
    local = dataclasses.replace(read(tmp_path), login_urls=urls)
    environment = role_environment(ours, "dispatch", local)
    assert "secret" not in " ".join(environment.values())
    assert "MAILCORDON_DATABASE_URL_CONTROL" not in environment
    assert "AWS_ACCESS_KEY_ID" not in environment
    assert plain_environment(ours) == {"PATH": "/bin"}


def test_the_api_gets_no_aws_credentials(tmp_path: Path):
    urls = {login: f"postgresql://{login}@/x" for login in config.LOGINS}
    aws = dataclasses.replace(read(tmp_path, **AWS), login_urls=urls)
    given = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_PROFILE": "mail"}
    found = {role: role_environment(given, role, aws) for role in config.PROCESS_LOGINS}
    assert {role for role, environment in found.items() if "AWS_ACCESS_KEY_ID" in environment} == {
        "dispatch",
        "observe",
        "control",
    }


def test_a_role_without_its_addresses_does_not_start(tmp_path: Path):
    with pytest.raises(BadConfig, match="MAILCORDON_DATABASE_URL_SEND"):
        read(tmp_path).require_logins("dispatch")


def test_every_setting_is_documented_with_what_it_takes_its_default_and_the_reason():
    rows = [
        line.strip("|").split(" | ")
        for line in DOCS.read_text().splitlines()
        if line.startswith("| `MAILCORDON_")
    ]
    assert {row[0].strip(" `") for row in rows} == set(config.KNOWN)
    assert len(rows) == len(config.KNOWN)
    assert [row[0] for row in rows if len(row) != 4 or not all(cell.strip() for cell in row)] == []


def test_resolvers_are_addresses_with_an_optional_port() -> None:
    text = "192.0.2.53, 192.0.2.54:5353 [2001:db8::53]:53 2001:db8::54"
    assert config.read({"MAILCORDON_DNS_SERVERS": text}).dns_servers == (
        ("192.0.2.53", 53),
        ("192.0.2.54", 5353),
        ("2001:db8::53", 53),
        ("2001:db8::54", 53),
    )


def test_whoever_observes_only_needs_no_queue_and_no_topic(tmp_path: Path):
    named = {name: value for name, value in AWS.items() if "QUEUE" not in name and "TOPIC" not in name}
    found = read(tmp_path, **named, MAILCORDON_OBSERVE_ONLY="yes")
    assert (found.outcome_queue_url, found.topic_arns, found.observe_only) == (None, frozenset(), True)
    with pytest.raises(BadConfig):
        read(tmp_path, **named, MAILCORDON_OBSERVE_ONLY="no")
    assert read(tmp_path).observe_only is None


OIDC = {
    "MAILCORDON_DASHBOARD_URL": "https://mail.platform.example/",
    "MAILCORDON_OIDC_ISSUER": "https://login.example/realms/x",
    "MAILCORDON_OIDC_CLIENT_ID": "dashboard",
    "MAILCORDON_OIDC_CLIENT_SECRET": "hunter2",
    "MAILCORDON_OIDC_ADMINS": "Mail Ops, root",
    "MAILCORDON_OIDC_VIEWERS": "staff",
}


def test_an_openid_provider_is_read_with_its_groups_and_its_secret_is_not_shown():
    found = config.read(OIDC).dashboard
    assert found is not None
    oidc = found.oidc
    assert oidc is not None
    assert (oidc.issuer, oidc.client_id, oidc.client_secret) == (
        "https://login.example/realms/x",
        "dashboard",
        "hunter2",
    )
    assert (oidc.scopes, oidc.person_claim, oidc.roles.claim) == (
        ("openid", "email", "profile"),
        "email",
        "groups",
    )
    assert {role.value: set(values) for role, values in oidc.roles.values.items()} == {
        "viewer": {"staff"},
        "operator": set(),
        "admin": {"Mail Ops", "root"},
    }
    assert "hunter2" not in repr(found)
    assert (found.lifetimes.idle, found.lifetimes.absolute) == (7200, 43_200)


@pytest.mark.parametrize(
    ("without", "said"),
    [
        ("MAILCORDON_DASHBOARD_URL", "MAILCORDON_DASHBOARD_URL"),
        ("MAILCORDON_OIDC_ISSUER", "MAILCORDON_OIDC_CLIENT_ID is set without MAILCORDON_OIDC_ISSUER"),
        ("MAILCORDON_OIDC_CLIENT_ID", "without MAILCORDON_OIDC_CLIENT_ID"),
    ],
)
def test_half_an_openid_provider_is_refused(without: str, said: str):
    with pytest.raises(BadConfig, match=said):
        config.read({name: value for name, value in OIDC.items() if name != without})


def test_an_openid_provider_that_gives_nobody_a_role_or_is_not_asked_who_it_is_is_refused():
    groups = {"MAILCORDON_OIDC_ADMINS": "", "MAILCORDON_OIDC_VIEWERS": " , "}
    with pytest.raises(BadConfig, match="nobody would get a role"):
        config.read({**OIDC, **groups})
    with pytest.raises(BadConfig, match="must have openid"):
        config.read({**OIDC, "MAILCORDON_OIDC_SCOPES": "email,groups"})
