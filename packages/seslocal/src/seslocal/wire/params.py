"""The members of a request or a response, by their names in the API."""

from typing import Any

Params = dict[str, Any]
