"""Import jobs: add the addresses of a file to the suppression list or a contact list, or remove them. They work in slices so that
other calls are served meanwhile. An invalid record fails alone, and can be read afterwards."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from functools import partial
from io import StringIO
from itertools import islice
from typing import Final

from seslocal.errors import ApiError, bad_request, not_found
from seslocal.mail.address import bare_address
from seslocal.mail.suppression import stored_address
from seslocal.sesv2 import contacts, import_records
from seslocal.sesv2.import_records import Record, Unreadable
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.jobs import Job, by_age
from seslocal.state.s3_directory import ObjectNotFound
from seslocal.state.suppression import SuppressedDestination
from seslocal.wire.paging import page
from seslocal.wire.params import Params

SLICE: Final = 500  # records at a time
MOST_RECORDS: Final = {"SUPPRESSION_LIST": 100_000, "CONTACT_LIST": 1_000_000}
_MOST_FAILED_BYTES: Final = 1024 * 1024  # of failed records that are kept


def create(account: Account, params: Params, caller: Caller) -> Params:
    destination: Params = params["ImportDestination"]
    if len(destination) != 1:
        raise bad_request("One import destination must be provided")
    if not account.sending.production:
        raise bad_request("Import jobs need production access; the account is in the sandbox.")
    kind = "SUPPRESSION_LIST" if "SuppressionListDestination" in destination else "CONTACT_LIST"
    if kind == "CONTACT_LIST":
        _require_list(account, destination["ContactListDestination"]["ContactListName"])
    now = account.clock.now()
    job = Job(account.ids.uuid(), kind, params, now, "CREATED")
    account.jobs.imports.add(job, "import")
    account.clock.call_later(account.settings.event_delay, partial(_start, account, job))
    return {"JobId": job.id}


def get(account: Account, params: Params, caller: Caller) -> Params:
    job = account.jobs.imports.get(params["JobId"])
    if job is None:
        raise not_found(f"Import job {params['JobId']} does not exist.")
    shown: Params = {**_summary(job), "ImportDataSource": job.request["ImportDataSource"]}
    if job.completed is not None:
        shown["CompletedTimestamp"] = job.completed
    failure: Params = {"ErrorMessage": job.error} if job.error else {}
    if job.file:
        failure["FailedRecordsS3Url"] = f"http://{caller.host}/_seslocal/jobs/{job.id}/{job.file_name}"
    return {**shown, "FailureInfo": failure} if failure else shown


def list_all(account: Account, params: Params, caller: Caller) -> Params:
    kind: str | None = params.get("ImportDestinationType")
    found = [job for job in account.jobs.imports if kind in (None, job.kind)]
    chosen, more = page("imports", found, by_age, params, most=1000)
    return {"ImportJobs": [_summary(job) for job in chosen], **more}


# running a job


def _start(account: Account, job: Job) -> None:
    job.status = "PROCESSING"
    source: Params = job.request["ImportDataSource"]
    try:
        text = account.jobs.files.read(source["S3Url"])
        read = import_records.suppressed if job.kind == "SUPPRESSION_LIST" else import_records.contacts
        records = read(text, source["DataFormat"], delete=_action(job) == "DELETE")
    except (ObjectNotFound, Unreadable) as error:
        job.end("FAILED", account.clock.now(), str(error))
        return
    _import_next_slice(account, job, records)


def _import_next_slice(account: Account, job: Job, records: Iterator[Record]) -> None:
    try:
        some = list(islice(records, SLICE))
        if job.processed + len(some) > MOST_RECORDS[job.kind]:
            raise Unreadable(f"An import has at most {MOST_RECORDS[job.kind]} records.")
        for record in some:
            _import(account, job, record)
    except (Unreadable, ApiError) as error:
        job.end("FAILED", account.clock.now(), str(error))
        return
    if len(some) < SLICE:
        job.end("COMPLETED", account.clock.now())
    else:
        account.clock.call_later(0.0, partial(_import_next_slice, account, job, records))


def _import(account: Account, job: Job, record: Record) -> None:
    job.processed += 1
    wrong = record.wrong
    if not wrong:
        apply = _to_suppression if job.kind == "SUPPRESSION_LIST" else _to_contacts
        try:
            apply(account, job, record.address, record.given or {})
        except ApiError as error:
            wrong = error.message
    if wrong:
        job.failed += 1
        _keep_failed(job, record.text, wrong)


def _to_suppression(account: Account, job: Job, address: str, given: Params) -> None:
    address = stored_address(address)
    if _action(job) == "PUT":
        account.suppression.list.put(SuppressedDestination(address, given["Reason"], account.clock.now()))
    elif not account.suppression.list.delete(address):
        raise not_found(f"Email address {address} does not exist on your suppression list.")


def _to_contacts(account: Account, job: Job, address: str, given: Params) -> None:
    """An existing contact is replaced; members that the record leaves out are cleared."""
    found = account.contact_lists[_require_list(account, _target(job)["ContactListName"])]
    if _action(job) == "PUT":
        found.put(bare_address(address), given, account.clock.now())
    else:
        del found.contacts[contacts.contact_of(found, address).address.lower()]


def _keep_failed(job: Job, text: str, wrong: str) -> None:
    if len(job.file) > _MOST_FAILED_BYTES:
        return
    line = StringIO()
    csv.writer(line).writerow((job.processed, wrong, text))
    job.file_name = "failed-records.csv"
    job.file += line.getvalue().encode("utf-8", "replace")


def _require_list(account: Account, name: str) -> str:
    if name not in account.contact_lists:
        raise not_found(f"ContactList <{name}> doesn't exist")
    return name


def _target(job: Job) -> Params:
    (target,) = job.request["ImportDestination"].values()
    return target


def _action(job: Job) -> str:
    target = _target(job)
    return target.get("SuppressionListImportAction") or target["ContactListImportAction"]


def _summary(job: Job) -> Params:
    return {
        "JobId": job.id,
        "ImportDestination": job.request["ImportDestination"],
        "JobStatus": job.status,
        "CreatedTimestamp": job.created,
        "ProcessedRecordsCount": job.processed,
        "FailedRecordsCount": job.failed,
    }


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "CreateImportJob": create,
    "GetImportJob": get,
    "ListImportJobs": list_all,
}
