"""Admin calls on jobs: the files that they wrote, at the URLs that jobs return, and the directory they read from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from seslocal.admin import messages
from seslocal.admin.fields import Json, Query, Refused
from seslocal.state.account import Account
from seslocal.wire.protocol import Response


def fetch(account: Account, job_id: str, name: str, query: Query, body: Json) -> Response:
    job = account.jobs.exports.get(job_id) or account.jobs.imports.get(job_id)
    if job is None or not job.file_name or name != job.file_name:
        raise Refused(404, messages.no_job_file(job_id, name))
    kind = "text/csv" if name.endswith(".csv") else "application/json"
    return Response(200, job.file, f"{kind}; charset=utf-8", (("X-Content-Type-Options", "nosniff"),))


def home(account: Account, query: Query, body: Json) -> Json:
    return {"path": str(account.jobs.files.path)}


ROUTES: Final[tuple[tuple[str, str, Callable[..., Any]], ...]] = (
    ("GET", r"/jobs/([^/]+)/([^/]+)", fetch),
    ("GET", r"/home", home),
)
