"""The credentials that sign calls to SES and SQS."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from mailcordon.adapters.ses.signer import (
    BotocoreCredentialsSource,
    Credentials,
    CredentialsSource,
    FixedCredentials,
    NoCredentials,
)
from mailcordon.app import wiring
from mailcordon.config import Config
from mailcordon.core.errors import Unavailable
from mailcordon.messages import system


@contextlib.asynccontextmanager
async def credentials(config: Config, stop: asyncio.Event, kind: str) -> AsyncGenerator[CredentialsSource]:
    """The local SES's fixed pair, or what botocore finds on this host, renewed before it expires. `kind`: of calls, as in
    `Config.profiles`.

    Raises Unavailable if botocore finds none.
    """
    profile = config.profiles.get(kind)
    if profile is None and config.access_key is not None and config.secret_key is not None:
        yield FixedCredentials(Credentials(config.access_key, config.secret_key))
        return
    source = BotocoreCredentialsSource(profile)
    try:
        await source.refresh()
    except NoCredentials:
        raise Unavailable(system.aws_credentials_missing(profile=profile), code="no-credentials") from None
    async with wiring.running(source.keep_fresh(), stop):
        yield source
