"""Signatures as https://www.standardwebhooks.com has them."""

from mailcordon.adapters.web import standard_webhooks


def test_the_example_of_the_specifications_libraries_has_its_signature() -> None:
    headers = standard_webhooks.headers(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_secret_has_24_to_64_bytes() -> None:
    assert standard_webhooks.is_secret(standard_webhooks.new_secret())
    assert standard_webhooks.new_secret() != standard_webhooks.new_secret()
    for wrong in (
        "",
        "whsec_",
        "whsec_c2hvcnQ=",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_***",
        "whsec_" + "A" * 92,
    ):
        assert not standard_webhooks.is_secret(wrong), wrong
