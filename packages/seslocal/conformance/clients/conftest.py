"""Fixtures for all client tests: the local SES, reset before each test. The tests run in the clients' environment, where
seslocal is not installed; seslocal is another process, as for its users."""

from __future__ import annotations

import os

import django
import pytest
from django.conf import settings
from local import DOMAIN, REGION, SECRET, Local

settings.configure(
    ALLOWED_HOSTS=["*"],
    ANYMAIL={"WEBHOOK_SECRET": SECRET},
    AWS_SES_ACCESS_KEY_ID="test",
    AWS_SES_SECRET_ACCESS_KEY="test",
    AWS_SES_REGION_NAME=REGION,
    AWS_SES_REGION_ENDPOINT_URL=os.environ["SESLOCAL_URL"],
    DEFAULT_FROM_EMAIL=f"Shop <hello@{DOMAIN}>",
    INSTALLED_APPS=["anymail", "django_ses"],
    ROOT_URLCONF="django_urls",
    USE_TZ=True,
)
django.setup()


@pytest.fixture
def local() -> Local:
    local = Local(os.environ["SESLOCAL_URL"])
    local.admin("POST", "/reset")
    local.client("sesv2").create_email_identity(EmailIdentity=DOMAIN)
    return local
