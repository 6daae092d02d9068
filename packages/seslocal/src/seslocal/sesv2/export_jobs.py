"""Export jobs: what Virtual Deliverability Manager recorded, as a file that seslocal serves at the URL in GetExportJob."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Final

from seslocal.errors import bad_request
from seslocal.sesv2 import export_files
from seslocal.sesv2.insights import SWITCHED_OFF
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.jobs import Job, newest_first
from seslocal.state.vdm_metrics import DAY
from seslocal.wire.paging import page
from seslocal.wire.params import Params

DEFAULT_ROWS: Final = 1000  # without MaxResults


def create(account: Account, params: Params, caller: Caller) -> Params:
    sources: Params = params["ExportDataSource"]
    if len(sources) != 1:
        raise bad_request("One data source must be provided")
    if "S3Url" in params["ExportDestination"]:
        raise bad_request("Providing a custom S3 URL is not supported")
    if not account.attributes.vdm_enabled:
        raise bad_request(SWITCHED_OFF)
    kind = "METRICS_DATA" if "MetricsDataSource" in sources else "MESSAGE_INSIGHTS"
    (source,) = sources.values()
    if source["StartDate"] >= source["EndDate"]:
        raise bad_request("Invalid date range")
    if kind == "METRICS_DATA" and (source["StartDate"] % DAY or source["EndDate"] % DAY):
        raise bad_request(
            "To get daily aggregated data you must not specify partial-day timestamps. Please make your interval go "
            "from midnight to midnight UTC."
        )
    job = Job(account.ids.uuid(), kind, params, account.clock.now(), "PROCESSING")
    account.jobs.exports.add(job, f"<{kind}> export")
    account.clock.call_later(account.settings.event_delay, partial(_work, account, job))
    return {"JobId": job.id}


def get(account: Account, params: Params, caller: Caller) -> Params:
    job = _job(account, params["JobId"])
    destination: Params = dict(job.request["ExportDestination"])
    shown: Params = {**_summary(job), "ExportDataSource": job.request["ExportDataSource"]}
    if job.status == "COMPLETED":
        destination["S3Url"] = f"http://{caller.host}/_seslocal/jobs/{job.id}/{job.file_name}"
        shown["Statistics"] = {
            "ProcessedRecordsCount": job.processed,
            "ExportedRecordsCount": job.exported,
        }
    return {**shown, "ExportDestination": destination}


def list_all(account: Account, params: Params, caller: Caller) -> Params:
    kind, status = params.get("ExportSourceType"), params.get("JobStatus")
    found = [job for job in account.jobs.exports if kind in (None, job.kind) and status in (None, job.status)]
    chosen, more = page("exports", found, newest_first, params, most=1000)
    return {"ExportJobs": [_summary(job) for job in chosen], **more}


def cancel(account: Account, params: Params, caller: Caller) -> Params:
    job = _job(account, params["JobId"])
    if job.has_ended:
        raise bad_request(f"Cannot cancel an export job that has a <{job.status}> status.")
    job.end("CANCELLED", account.clock.now())
    return {}


# running a job


def _work(account: Account, job: Job) -> None:
    if job.has_ended:
        return
    write = _metrics if job.kind == "METRICS_DATA" else _insights
    stamp = f"{datetime.fromtimestamp(account.clock.now(), UTC):%Y%m%d_%H%M%S}"
    (source,) = job.request["ExportDataSource"].values()
    form: str = job.request["ExportDestination"]["DataFormat"]
    job.file = write(account, job, source, form)
    plain = f"{stamp}_{job.id.replace('-', '')[:10]}"
    name = plain if job.kind == "MESSAGE_INSIGHTS" else f"ses-metrics-{stamp}-{job.id}"
    job.file_name = f"{name}.{form.lower()}"
    job.end("COMPLETED", account.clock.now())


def _insights(account: Account, job: Job, source: Params, form: str) -> bytes:
    mails = list(account.mail.insights.between(source["StartDate"], source["EndDate"]))
    found = export_files.matching(
        export_files.rows(mails), source.get("Include", {}), source.get("Exclude", {})
    )
    rows = list(islice(found, source.get("MaxResults", DEFAULT_ROWS)))
    job.processed, job.exported = len(mails), len(rows)
    return export_files.insights(rows, form)


def _metrics(account: Account, job: Job, source: Params, form: str) -> bytes:
    start, end = source["StartDate"], source["EndDate"]
    names = list(source["Dimensions"])
    sums = account.mail.insights.metrics.by_series(names, source["Dimensions"], start, end)
    job.processed = sum(seen.at < end for seen in account.mail.insights.between(start, end))
    job.exported = len(sums)
    return export_files.metrics(names, source["Metrics"], sums, form)


def _job(account: Account, job_id: str) -> Job:
    job = account.jobs.exports.get(job_id)
    if job is None:
        raise bad_request("Invalid JobId")
    return job


def _summary(job: Job) -> Params:
    shown: Params = {
        "JobId": job.id,
        "ExportSourceType": job.kind,
        "JobStatus": job.status,
        "CreatedTimestamp": job.created,
    }
    return shown if job.completed is None else {**shown, "CompletedTimestamp": job.completed}


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "CreateExportJob": create,
    "GetExportJob": get,
    "ListExportJobs": list_all,
    "CancelExportJob": cancel,
}
