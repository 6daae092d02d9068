"""`mailcordon doctor`: checks settings, home, database, processes and service, and says what to do about each problem.

It changes nothing, and a check that fails does not stop the others: what cannot be checked is a finding too.
"""

import json
import os
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import asdict

from mailcordon import config as configs
from mailcordon.adapters.db import (
    audit_store,
    connect_errors,
    engine,
    roles,
    status_reader,
    unsubscribe_store,
)
from mailcordon.adapters.ses import queue_policy
from mailcordon.adapters.ses.queue import open_queue
from mailcordon.adapters.ses.signer import BotocoreCredentialsSource, CredentialsSource, NoCredentials
from mailcordon.config import Config
from mailcordon.control import audit_checkpoints, status
from mailcordon.control.retention import Storage
from mailcordon.core import boundary
from mailcordon.core.errors import MailcordonError, Unavailable
from mailcordon.core.queue import Unreachable
from mailcordon.core.text import harmless
from mailcordon.host import append_file
from mailcordon.host.home import RUN_FILE
from mailcordon.messages import audit as audit_messages
from mailcordon.messages import queues, system, unsubscribe
from mailcordon.messages import status as status_messages
from mailcordon.run import audit, home_lock
from mailcordon.run.finding import Finding, State

AUDIT = "audit trail"
SCAN = "scan of SES"
LINKS = "links to unsubscribe"
NEWEST_AUDIT_ROWS = 1_000
LARGEST_TABLES = 3  #: named with their sizes
PRIVACY = "database privacy"  #: what the database's log may hold, and who may put names before ours
DATABASE_ADDRESS = "database address"  #: the subject of the finding about MAILCORDON_DATABASE_URL


async def doctor(environ: Mapping[str, str], *, as_json: bool, aws: bool = False) -> int:
    """Prints the findings. Returns 0 if none is bad, else 1. `aws`: with what only questions to AWS tell."""
    findings = await find(environ, aws=aws)
    well = all(finding.state != "bad" for finding in findings)
    if as_json:
        print(json.dumps({"ok": well, "findings": [asdict(finding) for finding in findings]}))
    else:
        for each in findings:
            said = system.finding(state=each.state, about=each.about, sentence=each.says)
            print("\n".join(map(harmless, said.split("\n"))))
    return 0 if well else 1


async def find(environ: Mapping[str, str], *, aws: bool = False) -> list[Finding]:
    try:
        config = configs.read(environ)
    except Exception as error:
        return _problems("settings", error)
    findings = [Finding("settings", "ok", system.settings_ok(local=config.local, region=config.region))]
    findings += await _checked("home", _check_home(config))
    if config.database_url is not None:
        findings += await _checked(DATABASE_ADDRESS, _check_database_url(config.database_url))
    logins = {
        login: await _checked(f"database login {login}", _check_login(config, login))
        for login in configs.LOGINS
    }
    findings += [finding for found in logins.values() for finding in found]
    fit = [login for login, found in logins.items() if all(finding.state == "ok" for finding in found)]
    findings += await _checked(PRIVACY, _check_privacy(config, fit))
    if not config.local:
        findings += await _checked("event queues", _check_queues(config))
    if all(finding.state == "ok" for finding in logins["control"]):
        findings += await _checked("service", _check_service(config))
        if not config.local and config.unsubscribe_url is None:
            findings += await _checked(LINKS, _check_links(config))
        findings += await _checked(AUDIT, _check_audit(config))
    if aws:
        from mailcordon.run import doctor_aws  # boto3 takes 0.2 s to load

        findings += await doctor_aws.find(config)
    return findings


async def _checked(about: str, check: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        return await check
    except Exception as error:
        return _problems(about, error)


def _problems(about: str, error: Exception) -> list[Finding]:
    """An ordinary mistake gets its own sentences; anything else is named, so that one document still comes out."""
    ending = boundary.explain(error)
    if ending is None:
        why = f"{type(error).__name__}: {error}"
        return [Finding(about, "bad", system.cannot_check(why=why))]
    return [Finding(about, "bad", sentence) for sentence in ending.sentences]


async def _check_home(config: Config) -> list[Finding]:
    home = config.home
    if not home.exists():
        return [Finding("home", "warn", system.home_missing(home=str(home)))]
    if not home.is_dir():
        return [Finding("home", "bad", system.not_a_directory(path=str(home)))]
    if not os.access(home, os.W_OK | os.X_OK):
        return [Finding("home", "bad", system.no_permission(path=str(home)))]
    found = [Finding("home", "ok", system.home_ok(home=str(home)))]
    pid = home_lock.holder(home)
    if pid is None:
        return [*found, Finding("up", "warn", system.nothing_runs_here())]
    facts = home_lock.read(home / RUN_FILE)
    found.append(Finding("up", "ok", system.runs_here(pid=pid, url=facts.get("url"))))
    for name, process in facts.get("processes", {}).items():
        log = str(home / "log" / f"{name}.log")
        found.append(
            Finding(name, "bad", system.process_down(log=log))
            if process is None
            else Finding(name, "ok", system.process_runs(pid=process))
        )
    return found


async def _check_database_url(url: str) -> list[Finding]:
    with connect_errors.explained(url, "MAILCORDON_DATABASE_URL"):
        connection = await engine.connect(url)
    await connection.close()
    return [Finding(DATABASE_ADDRESS, "ok", system.database_url_ok())]


async def _check_login(config: Config, login: str) -> list[Finding]:
    about = f"database login {login}"
    url = config.login_urls.get(login)
    if url is None:
        return [Finding(about, "bad", system.login_without_url(login=login))]
    try:
        with connect_errors.explained(url, configs.login_setting(login)):
            connection = await engine.connect(url)
    except connect_errors.DatabaseUnreachable:
        if not _is_stopped_embedded(config, url):
            raise
        return [Finding(about, "bad", system.embedded_database_stopped())]
    try:
        await roles.check_running(connection)
    except MailcordonError as unfit:
        return [Finding(about, "bad", str(unfit))]
    finally:
        await connection.close()
    return [Finding(about, "ok", system.login_ok())]


async def _check_privacy(config: Config, logins: Sequence[str]) -> list[Finding]:
    """What `migrate` could not set for want of rights: the server's log may then hold mail, or a login make temporary objects."""
    found: dict[tuple[str, str], list[str]] = {}
    for login in logins:
        connection = await engine.connect(config.login_url(login))
        try:
            for one in await roles.exposures(connection):
                found.setdefault((one.setting, one.value), []).append(
                    roles.login_of(config.login_url(login))[0]
                )
        finally:
            await connection.close()
    if not found:
        return [Finding(PRIVACY, "ok", system.privacy_ok())] if logins else []
    return [Finding(PRIVACY, "warn", _exposed(*what, users)) for what, users in found.items()]


def _exposed(setting: str, value: str, users: Sequence[str]) -> str:
    if setting == roles.TEMPORARY:
        return system.temporary_granted(users=list(users))
    wanted = (roles.QUIET | roles.QUIET_EXTENSIONS)[setting]
    return system.server_logs_values(setting=setting, value=value, wanted=wanted, users=list(users))


def _is_stopped_embedded(config: Config, url: str) -> bool:
    """Whether the address is that of the embedded PostgreSQL, which runs only while `up` does."""
    socket = connect_errors.server_of(url).startswith("/")
    return socket and config.database_url is None and home_lock.holder(config.home) is None


async def _check_queues(config: Config) -> list[Finding]:
    """Who may write to them. Where SNS's signatures prove events, others who write cost only work."""
    credentials = await _credentials(config, "observe")
    states: Mapping[str, State] = {"missing": "bad", "open": "warn", "users": "ok"}
    if config.event_proof != "signature":
        states = {"missing": "bad", "open": "bad", "users": "warn"}
    found: list[Finding] = []
    for kind, url, topic in (
        ("outcome", config.outcome_queue_url, config.outcome_topic_arn),
        ("engagement", config.engagement_queue_url, config.engagement_topic_arn),
    ):
        if url is None or topic is None:
            continue
        about = f"{kind} queue"
        queue = open_queue(url, region=config.region, credentials=credentials, endpoint=config.sqs_endpoint)
        try:
            policy = await queue.policy()
        except Unreachable as error:
            found.append(Finding(about, "warn", queues.queue_policy_not_read(why=str(error))))
            continue
        finally:
            await queue.close()
        wrong = [
            Finding(about, states[fault.kind], fault.says)
            for fault in queue_policy.faults(
                policy, needed=[topic], allowed=config.topic_arns, queue=_arn(config, url)
            )
            if states[fault.kind] != "ok"
        ]
        found += wrong or [Finding(about, "ok", queues.queue_policy_ok())]
    return [*found, await _check_management_queue(config)]


def _arn(config: Config, url: str) -> str | None:
    """The ARN of a queue; None if its URL has no account."""
    try:
        return queue_policy.queue_arn(url, region=config.region, topic=config.outcome_topic_arn or "arn:aws")
    except ValueError:
        return None


async def _credentials(config: Config, kind: str) -> CredentialsSource:
    profile = config.profiles.get(kind)
    source = BotocoreCredentialsSource(profile)
    try:
        await source.refresh()
    except NoCredentials:
        raise Unavailable(system.aws_credentials_missing(profile=profile), code="no-credentials") from None
    return source


async def _check_management_queue(config: Config) -> Finding:
    """An event that is missing or forged costs time only, so that nothing here is more than a warning, but for a queue that
    can receive none."""
    about, url = "management queue", config.management_queue_url
    if url is None:
        return Finding(about, "warn", queues.management_queue_missing())
    credentials = await _credentials(config, "administer")  # the control process reads it
    queue = open_queue(url, region=config.region, credentials=credentials, endpoint=config.sqs_endpoint)
    try:
        policy = await queue.policy()
    except Unreachable as error:
        return Finding(about, "warn", queues.queue_policy_not_read(why=str(error)))
    finally:
        await queue.close()
    states: Mapping[str, State] = {"missing": "bad", "open": "warn", "users": "ok"}
    for fault in queue_policy.rule_faults(policy, queue=_arn(config, url)):
        if states[fault.kind] != "ok":
            return Finding(about, states[fault.kind], fault.says)
    return Finding(about, "ok", queues.management_queue_ok())


async def _check_service(config: Config) -> list[Finding]:
    """The same judge as `mailcordon status`, through the database: it needs no API."""
    connection = await engine.connect(config.login_url("control"))
    try:
        found = status.judge(await status_reader.read(connection))
    finally:
        await connection.close()
    wrong = {problem.check for problem in found.problems}
    return [
        *_storage(found.storage),
        *((Finding(SCAN, "ok", found.scan),) if found.scan else ()),
        *(Finding(check, "ok", status_messages.status_ok()) for check in found.checked if check not in wrong),
        *(
            Finding(one.check, "bad", status_messages.status_finding(detail=one.sentence, next=one.next))
            for one in found.problems
        ),
        *(
            Finding(one.check, "warn", status_messages.status_finding(detail=one.sentence, next=one.next))
            for one in found.notices
        ),
    ]


async def _check_links(config: Config) -> list[Finding]:
    connection = await engine.connect(config.login_url("control"))
    try:
        found = await unsubscribe_store.lanes_without_host(connection)
    finally:
        await connection.close()
    return [] if found is None else [Finding(LINKS, "warn", unsubscribe.links_have_no_address(*found))]


async def _check_audit(config: Config) -> list[Finding]:
    """The newest rows and the last checkpoint. `mailcordon audit verify` checks all."""
    file = config.audit_checkpoint_file
    last = None if file is None else audit_checkpoints.latest(append_file.last_lines(file))
    connection = await engine.connect(config.login_url("control"))
    try:
        found = await audit_store.verify(connection, newest=NEWEST_AUDIT_ROWS)
        broken = found.broken or (None if last is None else await audit_store.contradicts(connection, last))
    finally:
        await connection.close()
    if broken is not None:
        return [Finding(AUDIT, "bad", audit.sentence(broken))]
    said = audit_messages.audit_doctor_ok(rows=found.rows, last=None if last is None else last.at)
    if file is not None and last is None and found.rows:
        return [
            Finding(AUDIT, "ok", said),
            Finding(AUDIT, "warn", audit_messages.audit_checkpoints_missing(file=str(file))),
        ]
    return [Finding(AUDIT, "ok", said)]


def _storage(storage: Storage | None) -> list[Finding]:
    if storage is None:
        return []
    sentence = status_messages.status_storage(
        bytes=storage.bytes,
        oldest=None if storage.oldest_day is None else storage.oldest_day.isoformat(),
        days=storage.days_left,
        largest=[(each.table, each.bytes) for each in storage.tables[:LARGEST_TABLES]],
    )
    return [Finding("storage", "ok", sentence)]
