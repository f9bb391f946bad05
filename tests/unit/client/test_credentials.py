"""Where the token comes from, where it may go, and how it is kept."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from swath.client.credentials import Credentials, Store, checked_token, checked_url, find
from swath.client.errors import Invalid, NotSignedIn, SwathError

URL = "https://swath.example.org/"


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


def _kept(home: dict[str, str], url: str = URL, token: str = "kept", **members: bool) -> Store:
    store = Store.default(home)
    store.keep(Credentials(url=url, token=token, source="test", **members), user="bob")
    return store


def test_the_environment_of_jupyterlab_is_enough(home: dict[str, str]) -> None:
    found = find({**home, "JUPYTERHUB_API_TOKEN": "lab", "SWATH_URL": "http://127.0.0.1:8000"})
    assert (found.url, found.token, found.source) == ("http://127.0.0.1:8000/", "lab", "JUPYTERHUB_API_TOKEN")


def test_a_token_named_for_swath_comes_first(home: dict[str, str]) -> None:
    _kept(home)
    environ = {**home, "JUPYTERHUB_API_TOKEN": "lab", "SWATH_TOKEN": "mine", "SWATH_URL": URL}
    assert find(environ).token == "mine"
    del environ["SWATH_TOKEN"]
    assert find(environ).token == "lab"
    del environ["JUPYTERHUB_API_TOKEN"]
    assert find(environ).token == "kept"


def test_another_hubs_token_is_never_sent_to_the_hub_that_is_signed_in_to(home: dict[str, str]) -> None:
    _kept(home)
    assert find({**home, "JUPYTERHUB_API_TOKEN": "of-another-hub"}).token == "kept"


def test_a_kept_token_goes_to_no_other_address(home: dict[str, str]) -> None:
    _kept(home)
    with pytest.raises(NotSignedIn, match="not signed in to https://other") as caught:
        find({**home, "SWATH_URL": "https://other.example.org/"})
    assert "swath login https://other.example.org/" in caught.value.mend


def test_a_token_without_an_address_is_told(home: dict[str, str]) -> None:
    with pytest.raises(NotSignedIn, match="SWATH_URL"):
        find({**home, "SWATH_TOKEN": "x"})


def test_a_run_is_told_that_it_cannot_call(home: dict[str, str]) -> None:
    with pytest.raises(NotSignedIn) as caught:
        find({**home, "SWATH_RUN_DIR": "/run/swath"})
    assert caught.value.code == "inside-a-run"


def test_nobody_signed_in_is_told_what_to_do(home: dict[str, str]) -> None:
    with pytest.raises(NotSignedIn) as caught:
        find(home)
    assert "swath login" in caught.value.mend


def test_the_token_is_in_no_repr() -> None:
    assert "geheim" not in repr(Credentials(url=URL, token="geheim", source="test"))


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://swath.example.org", URL),
        ("swath.example.org", URL),
        (" https://swath.example.org/hub/ ", URL),
        ("https://swath.example.org/hub/home?next=x#y", URL),
        ("https://swath.example.org:8443/a/hub/token", "https://swath.example.org:8443/a/"),
        ("https://SWATH.example.org/base//", URL + "base/"),
        ("http://localhost:8000", "http://localhost:8000/"),
        ("http://127.0.0.1", "http://127.0.0.1/"),
        ("http://[::1]:8000/hub", "http://[::1]:8000/"),
        ("https://swath.example.org/github/", URL + "github/"),
    ],
)
def test_an_address_has_one_form(given: str, url: str) -> None:
    assert checked_url(given) == url
    assert checked_url(url) == url


@pytest.mark.parametrize(
    "given",
    [
        "",
        "https://",
        "ftp://x/",
        "https://user:word@x/",
        "file:///etc",
        "https://x:99999/",
        "https://a b/",
        "http://[::1/",
    ],
)
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(Invalid) as caught:
        checked_url(given)
    assert "word" not in str(caught.value).replace("password", "")


@pytest.mark.parametrize("host", ["swath.example.org", "192.168.1.5", "127.0.0.1.example.org", "localhost.example.org"])
def test_an_unencrypted_network_is_refused_unless_allowed(host: str) -> None:
    with pytest.raises(Invalid) as caught:
        checked_url(f"http://{host}/")
    assert caught.value.code == "insecure-url"
    assert checked_url(f"http://{host}/", insecure=True) == f"http://{host}/"


def test_the_leave_given_at_login_is_kept_with_the_token(home: dict[str, str]) -> None:
    url = "http://192.168.1.5:8000/"
    store = _kept(home, url=url, insecure=True)
    assert find(home).insecure
    kept = json.loads(store.path.read_text())
    kept["servers"][url]["insecure"] = False
    store.path.write_text(json.dumps(kept))
    with pytest.raises(Invalid, match="does not encrypt"):
        find(home)


def test_the_environment_gives_leave_too(home: dict[str, str]) -> None:
    environ = {**home, "SWATH_URL": "http://swath.lan/", "SWATH_TOKEN": "x"}
    with pytest.raises(Invalid):
        find(environ)
    assert find({**environ, "SWATH_INSECURE": "1"}).url == "http://swath.lan/"


@pytest.mark.parametrize("token", ["", " ", "a b", "a\nb", "a\r\nX-Evil: 1", "gehëim", "x" * 9000, "a\x00b"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(Invalid) as caught:
        checked_token(token)
    assert "Evil" not in str(caught.value)


def test_only_its_owner_may_read_the_file(home: dict[str, str]) -> None:
    old = os.umask(0)
    try:
        store = _kept(home)
    finally:
        os.umask(old)
    assert store.path == Path(home["HOME"]) / ".config/swath/credentials.json"
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert store.path.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in store.path.parent.iterdir()] == ["credentials.json"]


def test_a_file_that_others_may_read_is_not_used(home: dict[str, str]) -> None:
    store = _kept(home)
    store.path.chmod(0o644)
    with pytest.raises(SwathError) as caught:
        find(home)
    assert caught.value.code == "credentials-exposed"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"servers": []}', "\udcff"])
def test_a_damaged_file_is_told(home: dict[str, str], text: str) -> None:
    store = _kept(home)
    store.path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(NotSignedIn) as caught:
        find(home)
    assert caught.value.code == "credentials-unreadable"


def test_two_hubs_are_kept_apart_and_one_is_current(home: dict[str, str]) -> None:
    store = _kept(home)
    _kept(home, url="https://two.example.org/", token="second")
    assert find(home).token == "second"
    assert find({**home, "SWATH_URL": URL}).token == "kept"
    assert store.forget() == "https://two.example.org/"
    assert find(home).token == "kept"
    assert store.forget(URL) == URL
    assert store.forget() is None


def test_the_folder_for_settings_may_be_elsewhere(home: dict[str, str], tmp_path: Path) -> None:
    assert Store.default({**home, "XDG_CONFIG_HOME": "/x"}).path == Path("/x/swath/credentials.json")
    # The specification says to ignore a relative one.
    assert Store.default({**home, "XDG_CONFIG_HOME": "x"}).path == tmp_path / ".config/swath/credentials.json"
