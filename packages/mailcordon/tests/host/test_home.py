"""The home: named by a setting, else the checkout's, else the user's."""

from pathlib import Path

import mailcordon
from mailcordon.host.home import find_home

CODE = Path("packages/mailcordon/src/mailcordon/host/home.py")


def test_a_named_home_wins(tmp_path: Path):
    assert find_home({"MAILCORDON_HOME": str(tmp_path)}, tmp_path / "checkout" / CODE) == tmp_path


def test_a_checkout_has_a_home_of_its_own(tmp_path: Path):
    (tmp_path / "packages" / "mailcordon").mkdir(parents=True)
    (tmp_path / "dev").touch()
    assert find_home({}, tmp_path / CODE) == tmp_path / ".mailcordon"
    assert find_home({}) == Path(mailcordon.__file__).resolve().parents[4] / ".mailcordon"


def test_outside_a_checkout_the_home_is_the_users_state_directory(tmp_path: Path):
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    assert find_home(state, tmp_path / CODE) == tmp_path / "state" / "mailcordon"
    assert find_home(state, Path("/site/mailcordon/host/home.py")) == tmp_path / "state" / "mailcordon"
