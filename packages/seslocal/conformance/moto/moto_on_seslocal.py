"""A pytest plugin: moto's own tests, in its server mode, with seslocal as the server. The one thing they need of moto's server
beyond AWS is its reset; here that is seslocal's. They sign with the keys of the environment,
but for many regions: the server is started without checks of signatures."""

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
