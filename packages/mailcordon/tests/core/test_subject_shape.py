"""What mail of one kind has in common."""

from mailcordon.core import subject_shape


def test_mail_is_alike_by_its_template_or_by_the_shape_of_its_subject() -> None:
    alike = subject_shape.alike
    assert alike("Kim, your invoice 4711 is ready", None) == alike("Lee, your invoice 4712 is ready", None)
    assert alike("Your invoice is ready", None) != alike("Your order is ready", None)
    assert alike("Rechnung 4711", None) == alike("Rechnung 4712", None)
    assert alike("Rechnung 4711", None) != alike("Mahnung 4711", None), (
        "no common word: its shape says nothing"
    )
    assert alike("Kim", "receipt@3") == alike("Lee", "receipt@4") != alike("Kim", "reminder@1")
    assert alike("receipt", None) != alike("receipt", "receipt@1")
    assert alike("", None) == alike("", None)
    assert all(-(2**31) <= alike(one, None) < 2**31 for one in ("", "x" * 2000, "\ud800", "Your receipt"))
