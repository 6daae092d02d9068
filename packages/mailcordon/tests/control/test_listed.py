"""What one call has listed serves the other destination of the set, once, and not for long."""

from mailcordon.control.resources import Listed

FOUND = {"outcome": {"Name": "outcome"}, "engagement": {"Name": "engagement"}}


def test_a_list_serves_the_other_destination_of_its_set_once() -> None:
    listed = Listed(lambda: 0.0)
    for name in ("mc-urgent", "mc-marketing"):
        listed.keep(name, "outcome", FOUND)
    assert listed.take("mc-transactional", "engagement") is None
    assert listed.take("mc-urgent", "engagement") == FOUND
    assert listed.take("mc-urgent", "engagement") is None
    assert listed.take("mc-marketing", "engagement") == FOUND


def test_what_is_read_back_after_a_change_is_read() -> None:
    listed = Listed(lambda: 0.0)
    listed.keep("mc-urgent", "outcome", FOUND)
    assert listed.take("mc-urgent", "outcome") is None


def test_an_old_list_is_read_again() -> None:
    now = 0.0
    listed = Listed(lambda: now)
    listed.keep("mc-urgent", "outcome", FOUND)
    now = 31.0
    assert listed.take("mc-urgent", "engagement") is None
