"""When a request is repeated, after what time, and what is raised at last: pure, without time or network."""

import json

import pytest

from mailcordon_client import errors
from mailcordon_client.errors import MailcordonError
from mailcordon_client.exchange import Answer, Call, Failure, Request, Retries, Wait, perform

CALL = Call(Request("GET", "/"), lambda answer: answer.body)
OK = Answer(200, {}, b"good")
LOST = Failure("connection reset")


def refusal(status: int, *, after: str | None = None, **told: object) -> Answer:
    headers = {} if after is None else {"retry-after": after}
    return Answer(status, headers, json.dumps({"detail": "No.", "code": "no", **told}).encode())


def played(*outcomes: Answer | Failure, retries: Retries = Retries(), chance: float = 1.0):  # noqa: B008
    """What came of these outcomes, and the waits in between."""
    steps = perform(CALL, retries, lambda: chance)
    waits: list[float] = []
    left = list(outcomes)
    outcome: Answer | Failure | None = None
    while True:
        try:
            step = steps.send(outcome)
        except StopIteration as done:
            assert not left
            return done.value, waits
        except MailcordonError as error:
            assert not left
            return error, waits
        if isinstance(step, Wait):
            waits.append(step.seconds)
            outcome = None
        else:
            outcome = left.pop(0)


def test_a_lost_connection_and_a_server_in_trouble_are_tried_again_after_doubled_waits():
    assert played(LOST, refusal(503), Answer(502, {}, b"<html>"), OK) == (b"good", [0.5, 1.0, 2.0])


def test_callers_that_failed_together_do_not_come_back_together():
    assert played(LOST, OK, chance=0.0)[1] != played(LOST, OK, chance=1.0)[1]
    assert played(refusal(429, after="3"), OK, chance=0.0)[1] == [3.0]
    assert played(refusal(429, after="3"), OK, chance=1.0)[1] == [3.5]


def test_what_can_never_succeed_is_not_tried_again():
    kinds = {
        400: errors.Refused,
        401: errors.Unauthorised,
        403: errors.Forbidden,
        404: errors.NotFound,
        409: errors.Conflict,
        413: errors.TooLarge,
        422: errors.Invalid,
    }
    for status, kind in kinds.items():
        error, waits = played(refusal(status, retryable=False))
        assert type(error) is kind, status
        assert waits == []


def test_the_servers_word_on_whether_a_retry_helps_counts_more_than_the_status():
    assert played(refusal(409, retryable=True), OK) == (b"good", [0.5])
    error, waits = played(refusal(503, retryable=False))
    assert (type(error), waits) == (errors.Refused, [])


def test_the_last_error_is_raised_when_no_try_is_left():
    error, waits = played(*[refusal(503)] * 3, retries=Retries(most=2))
    assert isinstance(error, errors.Unavailable)
    assert len(waits) == 2
    assert isinstance(played(LOST, retries=Retries(most=0))[0], errors.NoAnswer)


def test_a_time_longer_than_the_caller_would_wait_is_raised_at_once():
    error, waits = played(refusal(429, after="31"))
    assert isinstance(error, errors.TooMuch)
    assert (error.retry_after, waits) == (31.0, [])


def test_a_redirect_is_an_error_since_the_key_is_for_one_server():
    error, _ = played(Answer(302, {"location": "https://elsewhere.example"}, b""))
    assert isinstance(error, errors.BadAnswer)
    assert "elsewhere.example" in str(error)


def test_a_problem_has_the_servers_sentence_code_and_fields():
    fault = {"field": "to[1]", "problem": "is not an address", "code": "bad-address"}
    error, _ = played(refusal(422, retryable=False, errors=[fault]))
    assert isinstance(error, errors.Invalid)
    assert (str(error), error.code, error.status) == ("No.", "no", 422)
    assert error.errors == (errors.Field("to[1]", "is not an address", "bad-address"),)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"errors": null}', b'{"errors": ["x"]}'])
def test_an_answer_in_other_words_than_ours_is_judged_by_its_status(body: bytes):
    assert isinstance(played(Answer(403, {}, body))[0], errors.Forbidden)
