"""`./dev conformance` reports every test that fails unlisted, every listed test that passes, and every absent suite."""

from pathlib import Path

import pytest

from conformance import junit, probe
from conformance.__main__ import HERE, SUITES, Row, table
from conformance.junit import BadList, Case, Difference, compare

REPORT = """<testsuites><testsuite>
<testcase classname="tests.test_sesv2.test_sesv2" name="test_good"/>
<testcase classname="tests.test_sesv2.test_sesv2" name="test_bad[a b]"><failure message="it is not&#10;as it was"/></testcase>
<testcase classname="tests.test_sesv2.test_sesv2" name="test_broken"><error message="no fixture"/></testcase>
<testcase name="by node" classname="test"/>
<testcase classname="tests.test_sesv2.test_sesv2" name="test_left"><skipped/></testcase>
</testsuite></testsuites>"""


def listed(*names: str) -> dict[str, Difference]:
    return {name: Difference(name, "contradicts", "SES facts, section 3.4", "so it is") for name in names}


@pytest.fixture
def cases(tmp_path: Path) -> list[Case]:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    return junit.read(report)


def test_a_report_is_read_case_by_case(cases: list[Case]):
    assert [(case.name, case.outcome, case.detail) for case in cases] == [
        ("test_sesv2::test_good", "passed", ""),
        ("test_sesv2::test_bad[a b]", "failed", "it is not"),
        ("test_sesv2::test_broken", "failed", "no fixture"),
        ("test::by node", "passed", ""),
        ("test_sesv2::test_left", "skipped", "skipped"),
    ]


def test_an_unlisted_failure_fails_the_run(cases: list[Case]):
    both = ("test_sesv2::test_bad[a b]", "test_sesv2::test_broken")
    assert compare(cases, listed(*both)).good
    for one in both:
        verdict = compare(cases, listed(one))
        assert not verdict.good
        assert len(verdict.failed) == 1


def test_a_listed_test_that_passes_fails_the_run(cases: list[Case]):
    names = (
        "test_sesv2::test_bad[a b]",
        "test_sesv2::test_broken",
        "test_sesv2::test_good",
        "test_sesv2::gone",
    )
    verdict = compare(cases, listed(*names))
    assert verdict.stale == ("test_sesv2::gone", "test_sesv2::test_good")
    assert not verdict.good


def test_an_outside_test_must_have_failed_as_not_implemented():
    outside = {"a::b": Difference("a::b", "outside", "", "not ours")}
    said = "An error occurred (InvalidAction) when calling the CreateReceiptRule operation"
    assert compare([Case("a::b", "failed", said), Case("a::c", "passed", "")], outside).good
    assert not compare(
        [Case("a::b", "failed", "ResponseParserError"), Case("a::c", "passed", "")], outside
    ).good


def test_a_run_without_passed_tests_fails():
    assert not compare([], {}).good


@pytest.mark.parametrize(
    "entry",
    [
        'kind = "dislike"\nfacts = "SES facts, section 1"\nwhy = "no"',
        'kind = "contradicts"\nfacts = "I know"\nwhy = "no"',
        'kind = "contradicts"\nfacts = "SES facts, section 1"',
    ],
)
def test_a_difference_without_a_reason_is_refused(tmp_path: Path, entry: str):
    path = tmp_path / "differences.toml"
    path.write_text(f'[[difference]]\ntests = ["a::b"]\n{entry}\n')
    with pytest.raises(BadList):
        junit.differences(path)


def test_our_list_of_differences_is_well_formed():
    for suite in SUITES:
        if suite.differences:
            junit.differences(HERE / suite.differences)


def test_absent_suites_are_reported_and_counted():
    said = table([Row(SUITES[0], None, "node 20 or newer is not installed")])
    assert f"{SUITES[0].title:44}  ABSENT: node 20 or newer is not installed" in said
    assert "!!! 1 of 1 suites did not run" in said


def test_locks_have_no_registry_and_hash_every_package():
    requirements = (HERE / "requirements.txt").read_text()
    packages = [line for line in requirements.splitlines() if line[:1].isalpha()]
    assert packages
    assert all("==" in line and line.endswith("\\") for line in packages)
    assert "://" not in requirements
    package_lock = (HERE / "package-lock.json").read_text()
    assert '"resolved"' not in package_lock
    assert package_lock.count('"integrity"') == package_lock.count('"node_modules/')


def test_the_minimal_input_of_every_operation_is_valid():
    from botocore.validate import ParamValidator

    for name in probe.model().operation_names:
        shape = probe.model().operation_model(name).input_shape
        if shape is not None:
            report = ParamValidator().validate(probe.minimal(name), shape)
            assert not report.has_errors(), f"{name}: {report.generate_report()}"


def test_a_response_that_departs_from_the_model_is_found():
    right = {"Tenants": [{"TenantName": "a", "CreatedTimestamp": 1.5}]}
    probe.check_answer("ListTenants", right)
    for wrong in (
        {"Tenants": [{"TenantName": "a", "Colour": "red"}]},
        {"Tenants": [{"TenantName": 7}]},
        {"Tenants": [{"SendingStatus": "SOMETIMES"}]},
        {"Tenants": None},
        [],
    ):
        with pytest.raises(probe.Departure):
            probe.check_answer("ListTenants", wrong)
