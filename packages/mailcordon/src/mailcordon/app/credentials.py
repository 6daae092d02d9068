"""Who signs the calls to SES and SQS."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from mailcordon.adapters.ses.signer import (
    BotocoreCredentialsSource,
    Credentials,
    CredentialsSource,
    FixedCredentials,
)
from mailcordon.app import wiring
from mailcordon.config import Config


@contextlib.asynccontextmanager
async def credentials(config: Config, stop: asyncio.Event) -> AsyncGenerator[CredentialsSource]:
    """The local SES's fixed pair, or whatever botocore finds on this host, kept fresh."""
    if config.access_key is not None and config.secret_key is not None:
        yield FixedCredentials(Credentials(config.access_key, config.secret_key))
        return
    source = BotocoreCredentialsSource()
    await source.refresh()
    async with wiring.running(source.keep_fresh(), stop):
        yield source
