"""One whole system on one machine: the embedded PostgreSQL and the local SES where they are wanted, and the four roles.

`start` brings everything up in order and answers when the API does; `stop` drains the roles, then ends the rest. In between, what
dies is started again. What each part needs to know travels as environment settings, the same that an operator would set.
"""

import asyncio
import dataclasses
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mailcordon import config as configs
from mailcordon.adapters.db import migrate, secrets
from mailcordon.adapters.db.embedded import EmbeddedPostgres
from mailcordon.config import Config
from mailcordon.core.errors import Refused, Unavailable
from mailcordon.host import listening
from mailcordon.host.private_file import write_private
from mailcordon.run import bootstrap, home_lock, local_ses
from mailcordon.run.child import Child

DATABASE = "mailcordon"
#: Seconds until the API has to answer. A database recovering from a kill is waited for before this begins.
READY_PATIENCE = 30.0

#: Seconds that the processes of a killed `up` may need to let go of their port.
KILLED_PATIENCE = 5.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where a running system answers."""

    api: str  #: URL of the REST API
    ses: str | None  #: URL of the local SES; none on AWS
    key: str  #: the CLI's platform key


class System:
    def __init__(self, config: Config, say: Say, *, new_key: bool = False) -> None:
        self._config = config
        self._say = say
        self._new_key = new_key
        self._postgres: EmbeddedPostgres | None = None
        self._ses: Child | None = None
        self._roles: list[Child] = []
        self._listener: socket.socket | None = None
        self.addresses: Addresses | None = None

    async def start(self) -> Addresses:
        config = self._config
        killed = (config.home / home_lock.RUN).exists()
        (config.home / home_lock.RUN).unlink(missing_ok=True)
        self._listener = await listening.listen_patiently(
            config.api_host, config.api_port, listening.API_PORT, KILLED_PATIENCE if killed else 0.0
        )
        ses_ready = asyncio.create_task(self._start_local_ses()) if config.local else None
        try:
            logins = await self._prepare_database()
            config = dataclasses.replace(config, login_urls=logins, secret_keys=secret_keys(config))
            await bootstrap.begin_installation(config)
            if ses_ready is not None:
                config = dataclasses.replace(config, **await ses_ready)
        finally:
            if ses_ready is not None:
                ses_ready.cancel()
                await asyncio.gather(ses_ready, return_exceptions=True)
        held = home_lock.read(config.home / home_lock.CLI).get("key")
        key = await bootstrap.platform_key(config, held, anew=self._new_key)
        for role in configs.PROCESS_LOGINS:
            await self._start_role(role, config)
        url = url_of(self._listener)
        await self._wait_ready(url)
        self.addresses = Addresses(api=url, ses=config.ses_endpoint if config.local else None, key=key)
        home_lock.write(config.home / home_lock.CLI, {"url": url, "key": key, "ses_url": self.addresses.ses})
        await self._write_run_file()
        return self.addresses

    async def stop(self) -> None:
        """Drains: the roles finish what they began, then their servers end."""
        (self._config.home / home_lock.RUN).unlink(missing_ok=True)
        await asyncio.gather(*(child.stop() for child in self._roles))
        if self._ses is not None:
            await self._ses.stop()
        if self._postgres is not None:
            await self._postgres.stop()
        if self._listener is not None:
            self._listener.close()

    async def wait_refused(self) -> str:
        """Returns the words of the first part that will not run; never returns while all will."""
        waiting = [child.refused for child in [*self._roles, *([self._ses] if self._ses else [])]]
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
        given = given_logins(os.environ)
        own = self._postgres is not None
        made = await migrate.migrate(dsn, home=config.home, say=self._say, given=given, own_cluster=own)
        return made.dsns

    # -- local SES --------------------------------------------------------------------------------------------------

    async def _start_local_ses(self) -> dict[str, str | None]:
        """Answers the settings that say where it is."""
        config = self._config
        if config.ses_endpoint is not None:
            queues = await local_ses.make_queues(config.sqs_endpoint or config.ses_endpoint, config.region)
            return {f"{kind}_queue_url": url for kind, url in queues.items()}
        directory = config.home / "run"
        directory.mkdir(parents=True, exist_ok=True)
        ready = directory / "seslocal.json"
        ready.unlink(missing_ok=True)
        port = listening.choose("127.0.0.1", config.ses_port, listening.SES_PORT)
        if port == 0:
            # The same port after each restart: its address is written down in other places.
            with listening.listen("127.0.0.1", 0, 0) as free:
                port = free.getsockname()[1]
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
            ],
            environment=plain_environment(os.environ),
            log=config.home / "log" / "seslocal.log",
            say=self._say,
            drain=2.0,
            on_start=lambda: self._equip_local_ses(ready),
        )
        await self._ses.start()
        endpoint = f"http://127.0.0.1:{port}"
        return {
            "ses_endpoint": endpoint,
            "sqs_endpoint": endpoint,
            **{
                f"{kind}_queue_url": f"{endpoint}/{configs.LOCAL_ACCOUNT}/{name}"
                for kind, name in configs.QUEUES.items()
            },
        }

    async def _equip_local_ses(self, ready: Path) -> None:
        endpoint = await local_ses.wait_ready(ready)
        await local_ses.make_queues(endpoint, self._config.region)
        ready.unlink()
        await self._write_run_file()

    # -- roles ------------------------------------------------------------------------------------------------------

    async def _start_role(self, role: str, config: Config) -> None:
        environment = role_environment(os.environ, role, config)
        descriptors: list[int] = []
        if role == "api":
            assert self._listener is not None
            descriptors.append(self._listener.fileno())
            environment["MAILCORDON_API_FD"] = str(self._listener.fileno())
        child = Child(
            role,
            [sys.executable, "-m", "mailcordon", "run", role],
            environment=environment,
            log=config.home / "log" / f"{role}.log",
            say=self._say,
            drain=config.drain_seconds,
            descriptors=descriptors,
            on_start=self._write_run_file,
        )
        self._roles.append(child)
        await child.start()

    async def _wait_ready(self, url: str) -> None:
        """Until the API answers its health check, or a part refuses, or patience ends."""
        healthy = asyncio.create_task(answers(url))
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
            words = next((child.last_words() for child in self._roles if child.name == "api"), "")
            raise Unavailable(
                f"the API did not answer within {READY_PATIENCE:.0f} s. Its last words: {words}"
            )

    async def _write_run_file(self) -> None:
        """Who runs, for `doctor`, tests and the curious; there only once the system is ready."""
        if self.addresses is None:
            return
        children = [*self._roles, *([self._ses] if self._ses else [])]
        processes = {child.name: child.pid for child in children}
        if self._postgres is not None:
            processes["postgres"] = self._postgres.postmaster
        home_lock.write(
            self._config.home / home_lock.RUN,
            {
                "pid": os.getpid(),
                "url": self.addresses.api,
                "ses_url": self.addresses.ses,
                "home": str(self._config.home),
                "database": "embedded"
                if self._postgres
                else urlsplit(self._config.database_url or "").hostname,
                "processes": processes,
            },
        )


def given_logins(environ: Mapping[str, str]) -> dict[str, str]:
    """The logins' addresses that the operator names."""
    named = {login: environ.get(f"MAILCORDON_DATABASE_URL_{login.upper()}") for login in configs.LOGINS}
    return {login: url for login, url in named.items() if url}


def secret_keys(config: Config) -> tuple[str, ...]:
    """Those of the settings; locally, at the first start, a new one that is kept in the home."""
    if config.secret_keys or not config.local:
        return config.secret_keys
    key = secrets.make_secret_key()
    write_private(config.home / "secret-keys", key + "\n")
    return (key,)


def plain_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Ours without settings and without AWS credentials: those are given to whom they belong."""
    return {name: value for name, value in environ.items() if not name.startswith(("MAILCORDON_", "AWS_"))}


def role_environment(environ: Mapping[str, str], role: str, config: Config) -> dict[str, str]:
    """One role's settings: what the operator set, what we found out, and of the databases' addresses only its own."""
    settings = {
        name: value
        for name, value in environ.items()
        if name in configs.KNOWN and not name.startswith(("MAILCORDON_DATABASE_URL", "MAILCORDON_TEST"))
    }
    found: dict[str, str | None] = {
        "MAILCORDON_HOME": str(config.home),
        "MAILCORDON_SES": config.ses,
        "MAILCORDON_SES_ENDPOINT": config.ses_endpoint,
        "MAILCORDON_SQS_ENDPOINT": config.sqs_endpoint,
        "MAILCORDON_OUTCOME_QUEUE_URL": config.outcome_queue_url,
        "MAILCORDON_ENGAGEMENT_QUEUE_URL": config.engagement_queue_url,
        "MAILCORDON_SECRET_KEYS": ",".join(config.secret_keys),
        **{
            f"MAILCORDON_DATABASE_URL_{login.upper()}": config.login_url(login)
            for login in configs.PROCESS_LOGINS[role]
        },
    }
    base = plain_environment(environ)
    if not config.local:
        base |= {name: value for name, value in environ.items() if name.startswith("AWS_")}
    return base | settings | {name: value for name, value in found.items() if value}


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 (named, not bound)
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def answers(url: str) -> None:
    """Returns once the API says that it is well."""
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
