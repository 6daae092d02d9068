"""One local SES for the whole run, with real boto3 clients. Each test starts with an empty account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from seslocal_fixtures.world import PATIENCE, REGION, Background, World


@pytest.fixture(scope="session")
def background() -> Iterator[Background]:
    server = Background()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def clients(background: Background) -> Iterator[tuple[Any, Any]]:
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    config = Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE, parameter_validation=False)
    ses = session.client("sesv2", endpoint_url=background.local.url, config=config)
    sqs = session.client("sqs", endpoint_url=background.local.url, config=config)
    yield ses, sqs
    ses.close()
    sqs.close()


@pytest.fixture
def world(background: Background, clients: tuple[Any, Any]) -> World:
    world = World(background.local, *clients)
    world.admin("POST", "/reset")
    return world


@pytest.fixture(scope="session")
def older(background: Background) -> Iterator[Any]:
    config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
    client = boto3.client(
        "ses",
        endpoint_url=background.local.url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=config,
    )
    yield client
    client.close()


@pytest.fixture
def v1(world: World, older: Any) -> Any:
    """A boto3 client for SES v1."""
    return older
