"""A Django site on a free port, and an SNS topic that sends to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.core.wsgi import get_wsgi_application
from local import ACCOUNT, REGION, Local

SET = "shop"
EVENTS = ["SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "OPEN", "CLICK"]


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def site() -> Iterator[str]:
    """Yields its HOST:PORT."""
    with make_server("127.0.0.1", 0, get_wsgi_application(), WSGIServer, _Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(10)


def subscribe(local: Local, endpoint: str) -> str:
    """Makes a configuration set whose events go to a topic, and subscribes the endpoint. Returns the topic's ARN."""
    sns, ses = local.client("sns"), local.client("sesv2")
    topic = sns.create_topic(Name="shop-events")["TopicArn"]
    assert topic == f"arn:aws:sns:{REGION}:{ACCOUNT}:shop-events"
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint)
    ses.create_configuration_set(ConfigurationSetName=SET)
    ses.create_configuration_set_event_destination(
        ConfigurationSetName=SET,
        EventDestinationName="sns",
        EventDestination={
            "Enabled": True,
            "MatchingEventTypes": EVENTS,
            "SnsDestination": {"TopicArn": topic},
        },
    )
    return topic


def confirmed(local: Local, topic: str) -> bool:
    found = local.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    return any(one["SubscriptionArn"].startswith("arn:") for one in found)
