"""A pytest plugin that runs moto's own tests, in server mode, against seslocal. The only thing they need beyond AWS is moto's
reset, which is mapped to seslocal's. They sign for many regions, so the server runs without signature checks."""

import urllib.request
from typing import Any

from moto import settings
from moto.core.config import default_user_config
from moto.core.models import ServerModeMockAWS


def _reset(_: Any) -> None:
    url = f"{settings.test_server_mode_endpoint()}/_seslocal/reset"
    urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=10).close()


ServerModeMockAWS.reset = _reset
default_user_config["core"]["mock_credentials"] = False
