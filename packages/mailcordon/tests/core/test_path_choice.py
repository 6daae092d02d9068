"""The choice of a path: stable, by share, and the same for a recipient in every message."""

import hashlib

from mailcordon.core import path_choice

HASHES = [hashlib.blake2b(b"%d" % n, digest_size=16).digest() for n in range(4000)]
SHARES = (0, 1, 5, 25, 50, 100)


def test_a_share_takes_about_as_many_recipients_as_it_says() -> None:
    for share in SHARES:
        taken = sum(path_choice.isolated("acme", hash, share) for hash in HASHES)
        expected = len(HASHES) * share / 100
        assert abs(taken - expected) <= 4 * (expected * (1 - share / 100)) ** 0.5, (share, taken)


def test_who_is_on_the_isolated_path_stays_there_at_every_higher_share() -> None:
    for hash in HASHES[:500]:
        found = [path_choice.isolated("acme", hash, share) for share in range(101)]
        assert found == sorted(found)
        assert found[0] is False
        assert found[100] is True


def test_tenants_choose_apart() -> None:
    """Else the same addresses would be the first to meet a new path at all tenants."""
    both = sum(
        path_choice.isolated("acme", hash, 50) and path_choice.isolated("beta", hash, 50) for hash in HASHES
    )
    assert abs(both - len(HASHES) / 4) < 4 * (len(HASHES) * 3 / 16) ** 0.5


def test_a_mask_says_who_takes_the_other_path() -> None:
    paths = ["shared", "isolated", "shared", *["isolated"] * 47]
    mask = path_choice.others(paths, "shared")
    assert mask < 1 << 50
    assert [path_choice.path_of("shared", mask, n) for n in range(1, 51)] == paths
    turned = path_choice.others(paths, "isolated")
    assert [path_choice.path_of("isolated", turned, n) for n in range(1, 51)] == paths


def test_mail_of_a_lane_with_one_path_and_mail_that_keeps_its_path_take_that_of_the_message() -> None:
    for mask in (None, 0, path_choice.KEEPS_ITS_PATH):
        assert [path_choice.path_of("shared", mask, n) for n in (1, 50)] == ["shared", "shared"]
    assert path_choice.path_of("observed", None, 1) == "observed"
