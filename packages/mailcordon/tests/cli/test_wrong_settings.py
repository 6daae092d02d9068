"""Each setting of the command line x each kind of wrong: a sentence, an exit code and, with --json, one document."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]

NOT_HTTP = "a server that is not HTTP"
SETTINGS = {
    "URL without a scheme": ({"MAILCORDON_URL": "localhost:8025"}, 2),
    "URL of another scheme": ({"MAILCORDON_URL": "ftp://localhost"}, 2),
    "URL without a host": ({"MAILCORDON_URL": "http://"}, 2),
    "URL with a bad port": ({"MAILCORDON_URL": "http://127.0.0.1:99999"}, 2),
    "URL with a space": ({"MAILCORDON_URL": "http://a b"}, 2),
    "URL that refuses": ({"MAILCORDON_URL": "http://127.0.0.1:1"}, 5),
    "URL of an unknown host": ({"MAILCORDON_URL": "http://nobody.invalid"}, 5),
    "URL of a server that is not HTTP": ({"MAILCORDON_URL": NOT_HTTP}, 2),
    "key with a line break": ({"MAILCORDON_URL": "http://127.0.0.1:1", "MAILCORDON_KEY": "a\nb"}, 2),
    "key with letters that are not ASCII": (
        {"MAILCORDON_URL": "http://127.0.0.1:1", "MAILCORDON_KEY": "ключ"},
        2,
    ),
    "home that is a file": ({"MAILCORDON_HOME": "{file}"}, 2),
    "home below a file": ({"MAILCORDON_HOME": "{file}/home"}, 2),
    "home that does not exist": ({"MAILCORDON_HOME": "{file}-not"}, 5),
    "home of an unknown user": ({"MAILCORDON_HOME": "~nobody-here/x"}, 2),
    "home with a broken cli.json": ({"MAILCORDON_HOME": "{broken}"}, 2),
    "home with a cli.json that is a directory": ({"MAILCORDON_HOME": "{directory}"}, 2),
}


@pytest.fixture
def not_http() -> Iterator[str]:
    """Sends something that is not HTTP to every connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.sendall(b"SSH-2.0-x\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize(("settings", "code"), SETTINGS.values(), ids=SETTINGS.keys())
def test_a_wrong_setting_is_a_sentence_and_an_exit_code(
    run: Run,
    settings: dict[str, str],
    code: int,
    tmp_path: Path,
    not_http: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").write_text("{}")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "cli.json").write_text("{")
    (tmp_path / "directory" / "cli.json").mkdir(parents=True)
    paths = {name: str(tmp_path / name) for name in ("file", "broken", "directory")}
    for name, value in settings.items():
        monkeypatch.setenv(name, not_http if value is NOT_HTTP else value.format(**paths))
    found, out, err = run("tenant", "list", "--json")
    assert found == code, err
    assert json.loads(out)["exit"] == code
    assert err.startswith("mailcordon: ")
    assert "Traceback" not in err
    assert "Internal error" not in err
    assert "Errno" not in err
    assert "ssl:" not in err


def test_ctrl_c_is_exit_code_130_and_one_document() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = [sys.executable, "-m", "mailcordon", "tenant", "list", "--url", url, "--json"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ}
        )
        silent.settimeout(60)
        connection, _ = silent.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"mailcordon: Interrupted.\n")
    assert json.loads(out)["exit"] == 130
