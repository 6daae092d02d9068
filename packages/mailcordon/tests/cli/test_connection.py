"""Where a command finds the server."""

import json
from pathlib import Path

import pytest

from mailcordon.adapters.cli import connection, failures


def write(home: Path, **values: object) -> None:
    home.mkdir(exist_ok=True)
    (home / "cli.json").write_text(json.dumps(values))


def test_the_file_that_up_wrote_is_enough(tmp_path: Path) -> None:
    write(tmp_path, url="http://127.0.0.1:8025", key="mck_a", ses_url="http://127.0.0.1:8026")
    found = connection.find(url=None, key=None, environment={}, home=tmp_path)
    assert (found.url, found.key, found.ses_url) == (
        "http://127.0.0.1:8025",
        "mck_a",
        "http://127.0.0.1:8026",
    )


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    write(tmp_path, url="http://file", key="mck_file")
    environment = {"MAILCORDON_URL": "http://environment", "MAILCORDON_KEY": "mck_environment"}
    by_environment = connection.find(url=None, key=None, environment=environment, home=tmp_path)
    by_flag = connection.find(url="http://flag/", key="mck_flag", environment=environment, home=tmp_path)
    assert (by_environment.url, by_environment.key) == ("http://environment", "mck_environment")
    assert (by_flag.url, by_flag.key) == ("http://flag", "mck_flag")


def test_after_env_the_command_line_still_uses_its_own_key(tmp_path: Path) -> None:
    write(tmp_path, url="http://127.0.0.1:8025", key="mck_admin", send_key="mck_send")
    shell = {"MAILCORDON_URL": "http://127.0.0.1:8025", "MAILCORDON_KEY": "mck_send"}
    assert connection.find(url=None, key=None, environment=shell, home=tmp_path).key == "mck_admin"
    assert connection.find(url=None, key="mck_send", environment=shell, home=tmp_path).key == "mck_send"
    elsewhere = connection.find(url="http://127.0.0.1:9", key=None, environment=shell, home=tmp_path)
    assert elsewhere.key == "mck_send"


def test_the_key_in_the_file_is_not_sent_to_another_server(tmp_path: Path) -> None:
    write(tmp_path, url="http://127.0.0.1:8025", key="mck_a", ses_url="http://127.0.0.1:8026")
    found = connection.find(url="http://elsewhere.example", key=None, environment={}, home=tmp_path)
    assert found.key is None
    assert found.ses_url is None


def test_the_file_decides_whether_its_server_has_a_local_ses(tmp_path: Path) -> None:
    write(tmp_path, url="http://127.0.0.1:8025", key="mck_a", ses_url=None)
    environment = {"MAILCORDON_SES_ENDPOINT": "http://127.0.0.1:8005"}
    assert connection.find(url=None, key=None, environment=environment, home=tmp_path).ses_url is None
    elsewhere = connection.find(url="http://127.0.0.1:9", key="mck_b", environment=environment, home=tmp_path)
    assert elsewhere.ses_url == "http://127.0.0.1:8005"


def test_no_server_known_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(failures.Failure) as caught:
        connection.find(url=None, key=None, environment={}, home=tmp_path)
    assert caught.value.exit is failures.Exit.UNAVAILABLE
    assert "mailcordon up" in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_a_broken_file_is_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "cli.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(failures.Failure) as caught:
        connection.find(url=None, key=None, environment={}, home=tmp_path)
    assert str(tmp_path / "cli.json") in str(caught.value)


def test_a_url_without_a_scheme_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(failures.Failure) as caught:
        connection.find(url="localhost:8025", key=None, environment={}, home=tmp_path)
    assert caught.value.exit is failures.Exit.USAGE


def test_a_rotated_key_of_the_command_line_is_replaced_in_its_file_and_no_other(tmp_path: Path) -> None:
    write(tmp_path, url="http://127.0.0.1:8025/", key="mck_abcdefgh_old", ses_url=None)
    here = connection.find(url=None, key=None, environment={}, home=tmp_path)
    elsewhere = connection.find(url="http://127.0.0.1:9", key="mck_x", environment={}, home=tmp_path)
    assert not connection.replace_key(here, "zzzzzzzz", "mck_zzzzzzzz_new")
    assert not connection.replace_key(elsewhere, "abcdefgh", "mck_abcdefgh_new")
    assert connection.find(url=None, key=None, environment={}, home=tmp_path).key == "mck_abcdefgh_old"
    assert connection.replace_key(here, "abcdefgh", "mck_bcdefghj_new")
    assert connection.find(url=None, key=None, environment={}, home=tmp_path).key == "mck_bcdefghj_new"
    assert (tmp_path / "cli.json").stat().st_mode & 0o777 == 0o600
