"""Jobs: importing files, and the files that exports write."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from seslocal.sesv2 import export_files, import_jobs
from seslocal.state.jobs import Job, Jobs
from seslocal.state.s3_directory import ObjectNotFound, S3Directory
from seslocal_fixtures.world import World

START = datetime(2026, 3, 1, tzinfo=UTC)
END = datetime(2026, 3, 2, tzinfo=UTC)
SUPPRESS: Any = {"SuppressionListDestination": {"SuppressionListImportAction": "PUT"}}
RELEASE: Any = {"SuppressionListDestination": {"SuppressionListImportAction": "DELETE"}}
CONTACTS: Any = {"ContactListDestination": {"ContactListName": "l", "ContactListImportAction": "PUT"}}


@pytest.fixture
def still(world: World) -> World:
    """On 1 March, with VDM on and a frozen clock."""
    world.admin("PUT", "/clock", {"at": "2026-03-01T12:00:00Z", "frozen": True})
    world.ready(events=["SEND"])
    world.ses.put_account_vdm_attributes(VdmAttributes={"VdmEnabled": "ENABLED"})
    return world


# imports


def put(world: World, text: str, name: str = "bucket/addresses") -> str:
    file = Path(world.admin("GET", "/home")["path"]) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return f"s3://{name}"


def imported(world: World, destination: Any, text: str, form: str = "CSV") -> Any:
    job = begin(world, destination, put(world, text), form)
    world.admin("PUT", "/clock", {"advance": 1})
    return world.ses.get_import_job(JobId=job)


def begin(world: World, destination: Any, url: str = "s3://bucket/no", form: str = "CSV") -> str:
    source: Any = {"S3Url": url, "DataFormat": form}
    return world.ses.create_import_job(ImportDestination=destination, ImportDataSource=source)["JobId"]


def listed(world: World) -> dict[str, str]:
    found = world.ses.list_suppressed_destinations()["SuppressedDestinationSummaries"]
    return {one["EmailAddress"]: one["Reason"] for one in found}


def test_imports_add_and_remove_suppressed_addresses(still: World) -> None:
    lines = "a@example.com,BOUNCE\r\nb@Example.com, COMPLAINT\n\n"
    job = imported(still, SUPPRESS, lines)
    assert (job["JobStatus"], job["ProcessedRecordsCount"], job["FailedRecordsCount"]) == ("COMPLETED", 2, 0)
    assert job["CompletedTimestamp"] > job["CreatedTimestamp"]
    assert listed(still) == {"a@example.com": "BOUNCE", "b@example.com": "COMPLAINT"}
    released = imported(still, RELEASE, '{"emailAddress": "a@example.com"}\n', "JSON")
    assert (released["JobStatus"], listed(still)) == ("COMPLETED", {"b@example.com": "COMPLAINT"})


@pytest.mark.parametrize(
    ("form", "line", "why"),
    [
        ("CSV", "a@example.com", "Expected 2 column(s) but found 1."),
        ("CSV", "a@example.com,WHIM", "Reason WHIM is invalid, must be one of [BOUNCE, COMPLAINT]."),
        ("CSV", "nobody,BOUNCE", "Email address nobody is not valid."),
        ("JSON", "{", "Malformed JSON."),
        ("JSON", "[1]", "Each line must be a JSON object."),
        ("JSON", '{"emailAddress": 1, "reason": "BOUNCE"}', "emailAddress must be a JSON string."),
        ("JSON", '{"emailAddress": "a@example.com"}', "Reason None is invalid, must be one of"),
        ("JSON", '{"emailAddress": "a@example.com", "reason": []}', "Reason [] is invalid"),
    ],
)
def test_an_invalid_record_fails_alone_and_can_be_read(still: World, form: str, line: str, why: str) -> None:
    good = {"CSV": "z@example.com,BOUNCE", "JSON": '{"emailAddress": "z@example.com", "reason": "BOUNCE"}'}
    job = imported(still, SUPPRESS, f"{line}\n{good[form]}\n", form)
    assert (job["JobStatus"], job["ProcessedRecordsCount"], job["FailedRecordsCount"]) == ("COMPLETED", 2, 1)
    assert listed(still) == {"z@example.com": "BOUNCE"}
    [failed] = csv.reader(io.StringIO(fetched(still, job["FailureInfo"]["FailedRecordsS3Url"])))
    assert (failed[0], failed[1].startswith(why)) == ("1", True), failed


def fetched(world: World, url: str) -> str:
    status, body = world.bare("GET", url.partition(world.host)[2])
    assert status == 200
    return body.decode()


def test_imported_contacts_have_preferences_and_replace_existing_ones(still: World) -> None:
    topic = {"TopicName": "news", "DisplayName": "News", "DefaultSubscriptionStatus": "OPT_OUT"}
    still.ses.create_contact_list(ContactListName="l", Topics=[topic])
    header = "emailAddress,unsubscribeAll,attributesData,topicPreferences.news"
    kim = 'kim@example.com,false,"{""Name"": ""Kim, the first""}",OPT_IN'
    job = imported(still, CONTACTS, f"{header}\n{kim}\nlee@example.com,perhaps,,\nx@example.com,,,OPT_IN,\n")
    assert (job["ProcessedRecordsCount"], job["FailedRecordsCount"]) == (3, 2)
    contact = still.ses.get_contact(ContactListName="l", EmailAddress="kim@example.com")
    assert contact["AttributesData"] == '{"Name": "Kim, the first"}'
    assert contact["TopicPreferences"] == [{"TopicName": "news", "SubscriptionStatus": "OPT_IN"}]
    given = {"emailAddress": "kim@example.com", "unsubscribeAll": True}
    imported(still, CONTACTS, json.dumps(given), "JSON")
    contact = still.ses.get_contact(ContactListName="l", EmailAddress="kim@example.com")
    assert (contact["UnsubscribeAll"], contact["TopicPreferences"]) == (True, [])
    assert "AttributesData" not in contact
    gone: Any = {"ContactListDestination": {"ContactListName": "l", "ContactListImportAction": "DELETE"}}
    imported(still, gone, "emailAddress\nkim@example.com")
    assert still.ses.list_contacts(ContactListName="l")["Contacts"] == []


def test_an_unknown_topic_fails_its_record(still: World) -> None:
    still.ses.create_contact_list(ContactListName="l")
    job = imported(still, CONTACTS, "emailAddress,topicPreferences.no\nkim@example.com,OPT_IN")
    assert (job["JobStatus"], job["FailedRecordsCount"]) == ("COMPLETED", 1)


def test_an_unreadable_file_fails_the_job(still: World) -> None:
    still.ses.create_contact_list(ContactListName="l")
    job = imported(still, CONTACTS, "kim@example.com\n")
    assert (job["JobStatus"], job["FailureInfo"]["ErrorMessage"]) == (
        "FAILED",
        "The CSV header line must contain an emailAddress column.",
    )
    absent = begin(still, SUPPRESS)
    still.admin("PUT", "/clock", {"advance": 1})
    job = still.ses.get_import_job(JobId=absent)
    assert (job["JobStatus"], job["FailureInfo"]["ErrorMessage"]) == (
        "FAILED",
        "There is no object s3://bucket/no.",
    )


def test_long_files_are_imported_in_slices(still: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_jobs, "SLICE", 3)
    lines = "".join(f"a{n}@example.com,BOUNCE\n" for n in range(9))
    assert imported(still, SUPPRESS, lines)["ProcessedRecordsCount"] == 9
    monkeypatch.setitem(import_jobs.MOST_RECORDS, "SUPPRESSION_LIST", 8)
    job = imported(still, SUPPRESS, lines)
    assert (job["JobStatus"], job["ProcessedRecordsCount"]) == ("FAILED", 6)


def test_imports_are_refused_in_the_sandbox_and_for_missing_lists(still: World) -> None:
    refused = still.refused(lambda: begin(still, CONTACTS))
    assert refused == (404, "NotFoundException", "ContactList <l> doesn't exist")
    assert still.refused(lambda: begin(still, {**SUPPRESS, **CONTACTS}))[0] == 400
    still.admin("PUT", "/account", {"production": False})
    assert still.refused(lambda: begin(still, SUPPRESS))[:2] == (400, "BadRequestException")
    assert still.refused(still.ses.get_import_job, JobId="no")[:2] == (404, "NotFoundException")


def test_twenty_jobs_run_at_a_time_and_are_listed_by_their_destination(still: World) -> None:
    jobs = [begin(still, SUPPRESS) for _ in range(20)]
    assert still.refused(lambda: begin(still, SUPPRESS))[:2] == (400, "LimitExceededException")
    assert still.ses.get_import_job(JobId=jobs[0])["JobStatus"] == "CREATED"
    listed = still.ses.list_import_jobs(ImportDestinationType="SUPPRESSION_LIST")["ImportJobs"]
    assert {job["JobId"] for job in listed} == set(jobs)
    assert still.ses.list_import_jobs(ImportDestinationType="CONTACT_LIST")["ImportJobs"] == []


@pytest.mark.parametrize(
    "url",
    [
        "s3://../secret",
        "s3://b/../../secret",
        "s3://b/link",
        "s3:///etc/passwd",
        "s3://b/x\0y",
        "s3://b",
        "s3://",
    ],
)
def test_nothing_outside_of_the_home_can_be_read(tmp_path: Path, url: str) -> None:
    home = tmp_path / "home"
    (home / "b").mkdir(parents=True)
    (tmp_path / "secret").write_text("s")
    (home / "b" / "link").symlink_to(tmp_path / "secret")
    (home / "b" / "text").write_text("\ufefft", "utf-8")
    assert S3Directory(str(home)).read("s3://b/text") == "t"
    with pytest.raises(ObjectNotFound):
        S3Directory(str(home)).read(url)


def test_the_oldest_ended_jobs_are_dropped() -> None:
    jobs = Jobs()
    for number in range(1100):
        jobs.add(Job(str(number), "k", {}, 0.0, "COMPLETED"), "import")
    assert [job.id for job in jobs][:1] == ["100"]
    for number in range(5):
        jobs.add(Job(f"b{number}", "k", {}, 0.0, "COMPLETED", file=bytes(20_000_000)), "import")
    assert [job.id for job in jobs] == ["b2", "b3", "b4"]


# exports


def export(world: World, source: Any, form: str = "CSV") -> str:
    made = world.ses.create_export_job(ExportDataSource=source, ExportDestination={"DataFormat": form})
    return made["JobId"]


def exported(world: World, source: Any, form: str = "CSV") -> tuple[Any, str]:
    job_id = export(world, source, form)
    assert world.ses.get_export_job(JobId=job_id)["JobStatus"] == "PROCESSING"
    world.admin("PUT", "/clock", {"advance": 1})
    job = world.ses.get_export_job(JobId=job_id)
    assert job["JobStatus"] == "COMPLETED"
    return job, fetched(world, job["ExportDestination"]["S3Url"])


def insights(**more: Any) -> Any:
    return {"MessageInsightsDataSource": {"StartDate": START, "EndDate": END, **more}}


def metrics(*names: str, **dimensions: list[str]) -> Any:
    pairs = [name.split(":") for name in names]
    asked = [{"Name": name, "Aggregation": how} for name, how in pairs]
    window = {"StartDate": START, "EndDate": END, "Namespace": "VDM"}
    return {"MetricsDataSource": {**window, "Dimensions": dimensions, "Metrics": asked}}


@pytest.fixture
def sent(still: World) -> World:
    """Three mails: one delivered to Gmail, one bounced, one with a complaint."""
    still.mailbox("gone@example.com", "bounces")
    still.mailbox("angry@example.com", "complains")
    for to in ("kim@gmail.com", "gone@example.com", "angry@example.com"):
        still.send(to)
    still.admin("PUT", "/clock", {"advance": 10})
    return still


def test_message_insights_are_written_as_ses_writes_them(sent: World) -> None:
    job, text = exported(sent, insights())
    assert job["Statistics"] == {"ProcessedRecordsCount": 3, "ExportedRecordsCount": 3}
    lines = text.splitlines()
    assert lines[0].startswith('"messageid","sendtimestamp","isp","fromaddress","destination","subject",')
    assert lines[0].endswith('"bounce_sub_type","diagnostic_code",')
    read = list(csv.DictReader(io.StringIO(text)))
    assert [(row["destination"], row["last_delivery_event"], row["bounce_sub_type"]) for row in read] == [
        ("kim@gmail.com", "DELIVERY", ""),
        ("gone@example.com", "PERMANENT_BOUNCE", "General"),
        ("angry@example.com", "COMPLAINT", ""),
    ]
    assert read[0]["sendtimestamp"] == "2026-03-01 12:00:00.000 UTC"
    rows = json.loads(exported(sent, insights(), "JSON")[1])
    assert [row["isp"] for row in rows] == ["Gmail", "UNKNOWN_ISP", "UNKNOWN_ISP"]
    assert "bounce_sub_type" not in rows[0]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"Include": {"Destination": ["*@example.com"]}}, ["gone@example.com", "angry@example.com"]),
        (
            {"Include": {"Destination": ["*o*"], "Isp": ["UNKNOWN_ISP"]}},
            ["gone@example.com", "angry@example.com"],
        ),
        ({"Include": {"Destination": ["kim*", "gone*"]}}, ["kim@gmail.com", "gone@example.com"]),
        ({"Exclude": {"Isp": ["Gmail"], "TenantName": ["acme"]}}, ["gone@example.com", "angry@example.com"]),
        ({"Exclude": {}}, ["kim@gmail.com", "gone@example.com", "angry@example.com"]),
        ({"Include": {"TenantName": ["no"]}}, []),
        ({"Include": {"LastDeliveryEvent": ["PERMANENT_BOUNCE"]}}, ["gone@example.com"]),
        ({"Include": {"LastEngagementEvent": ["OPEN"]}}, []),
        ({"Include": {"Subject": ["hi"]}}, []),
        ({"Include": {"Subject": ["Hi"]}, "MaxResults": 1}, ["kim@gmail.com"]),
    ],
)
def test_filters_select_the_exported_rows(sent: World, filters: Any, found: list[str]) -> None:
    rows = json.loads(exported(sent, insights(**filters), "JSON")[1])
    assert [row["destination"] for row in rows] == found


@pytest.mark.parametrize(
    ("value", "fits", "fails"),
    [
        ("*", "anything", None),
        ("a*", "ab", "ba"),
        ("*a", "ba", "ab"),
        ("*a*", "bab", "b"),
        ("a*b", "a*b", "acb"),
        ("\\*a", "*a", "ba"),
        ("a\\*", "a*", "ab"),
        ("a\\\\*", "a\\b", "ab"),
    ],
)
def test_a_star_at_either_end_matches_anything(value: str, fits: str, fails: str | None) -> None:
    one = export_files.pattern(value)
    assert one(fits)
    assert fails is None or not one(fails)


def test_exported_metrics_have_their_dimensions(sent: World) -> None:
    source = metrics("SEND:VOLUME", "PERMANENT_BOUNCE:RATE", ISP=["*"], TENANT_NAME=["acme"])
    job, text = exported(sent, source)
    assert text.splitlines() == [
        "ISP,TENANT_NAME,SEND_VOLUME,PERMANENT_BOUNCE_RATE",
        "Gmail,acme,1.0000,0.0000",
        "UNKNOWN_ISP,acme,2.0000,0.5000",
    ]
    assert (job["ExportSourceType"], job["Statistics"]["ProcessedRecordsCount"]) == ("METRICS_DATA", 3)
    assert json.loads(exported(sent, source, "JSON")[1])[0] == {
        "isp": "Gmail",
        "tenant_name": "acme",
        "metrics": {"SEND_VOLUME": 1.0, "PERMANENT_BOUNCE_RATE": 0.0},
    }


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ({}, "One data source must be provided"),
        ({**insights(), **metrics("SEND:VOLUME", ISP=["*"])}, "One data source must be provided"),
        (insights(EndDate=START), "Invalid date range"),
        (
            {
                "MetricsDataSource": {
                    **metrics("SEND:VOLUME", ISP=["*"])["MetricsDataSource"],
                    "EndDate": 1772366401,
                }
            },
            "To get daily aggregated data you must not specify partial-day timestamps.",
        ),
    ],
)
def test_invalid_exports_are_refused(still: World, source: Any, why: str) -> None:
    refused = still.refused(lambda: export(still, source))
    assert (refused[:2], refused[2].startswith(why)) == ((400, "BadRequestException"), True), refused


def test_an_export_with_a_destination_url_is_refused(still: World) -> None:
    destination: Any = {"DataFormat": "CSV", "S3Url": "s3://bucket/key"}
    create = still.ses.create_export_job
    refused = still.refused(create, ExportDataSource=insights(), ExportDestination=destination)
    assert refused[2] == "Providing a custom S3 URL is not supported"
    still.ses.put_account_vdm_attributes(VdmAttributes={"VdmEnabled": "DISABLED"})
    assert "Virtual Deliverability Manager" in still.refused(lambda: export(still, insights()))[2]


def test_a_running_job_can_be_cancelled_and_jobs_are_listed_newest_first(still: World) -> None:
    first = export(still, insights())
    still.ses.cancel_export_job(JobId=first)
    still.admin("PUT", "/clock", {"advance": 1})
    second = export(still, metrics("SEND:VOLUME", ISP=["*"]))
    assert [job["JobId"] for job in still.ses.list_export_jobs()["ExportJobs"]] == [second, first]
    cancelled = still.ses.list_export_jobs(JobStatus="CANCELLED")["ExportJobs"]
    assert [(job["JobId"], "CompletedTimestamp" in job) for job in cancelled] == [(first, True)]
    refused = still.refused(still.ses.cancel_export_job, JobId=first)
    assert refused[2] == "Cannot cancel an export job that has a <CANCELLED> status."
    assert still.refused(still.ses.get_export_job, JobId="no")[2] == "Invalid JobId"
