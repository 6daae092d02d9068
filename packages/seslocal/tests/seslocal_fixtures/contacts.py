"""A contact list with two topics, and one contact."""

from __future__ import annotations

from typing import Any

TOPICS = [
    {"TopicName": "news", "DisplayName": "News", "DefaultSubscriptionStatus": "OPT_IN"},
    {
        "TopicName": "offers",
        "DisplayName": "Offers",
        "Description": "Rarely",
        "DefaultSubscriptionStatus": "OPT_OUT",
    },
]
KIM: Any = {"ContactListName": "people", "EmailAddress": "kim@example.com"}


def prefers(topic: str, status: str) -> list[dict[str, str]]:
    return [{"TopicName": topic, "SubscriptionStatus": status}]
