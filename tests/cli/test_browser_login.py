"""`verdazul login` with the browser of this machine, in whose place a client follows the page."""

from __future__ import annotations

import re
import threading
import webbrowser
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.api.identity_kit import PASSWORD
from tests.cli.conftest import Run
from tests.cli.real_server import Real
from tests.cli.test_login import ME, login_file, owner, real

from verdazul.client import browser_login

__all__ = ["owner", "real"]
pytestmark = pytest.mark.azure(39)
Browse = Callable[[str], None]


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Browse]]:
    """What the browser does with the page it is shown; in a thread of its own, as browsers are."""
    acts: list[Browse] = []
    threads: list[threading.Thread] = []

    def opened(page: str) -> bool:
        threads.append(threading.Thread(target=acts[0], args=(page,)))
        threads[-1].start()
        return True

    monkeypatch.setattr(browser_login, "can_open", lambda: True)
    monkeypatch.setattr(webbrowser, "open", opened)
    yield acts
    for thread in threads:
        thread.join()


def redirect_of(page: str) -> str:
    return parse_qs(urlsplit(page).query)["redirect_uri"][0]


def answering(choice: str, *, before: Browse = lambda _: None) -> Browse:
    """A person who fills in the form."""

    def act(page: str) -> None:
        before(page)
        with httpx.Client(follow_redirects=True, timeout=60) as client:
            ticket = re.findall(r'name="ticket" value="([^"]+)"', client.get(page).text)[0]
            form = {"ticket": unescape(ticket), "user": "alice@example.com", "password": PASSWORD}
            place = urlsplit(page)
            address = f"{place.scheme}://{place.netloc}/browserlogin"
            ended = client.post(address, data={**form, "choice": choice})
            assert "You may close this page" in ended.text

    return act


def test_a_person_logs_in_with_the_browser(
    owner: Run, real: Real, tmp_path: Path, browser: list[Browse]
) -> None:
    with real.somebody() as alice:
        browser.append(answering("allow"))
        entered = owner("login")
        me = owner(*ME).out.strip()

    assert entered.code == 0, entered.err
    assert "logged in as alice@example.com" in entered.err
    assert me == alice
    assert login_file(tmp_path).stat().st_mode & 0o077 == 0


def test_what_the_person_denies_is_refused(owner: Run, real: Real, browser: list[Browse]) -> None:
    with real.somebody():
        browser.append(answering("deny"))
        refused = owner("login")

    assert refused.code == 1
    assert "The login was denied" in refused.err
    assert "--use-device-code" in refused.err


def test_who_brings_another_state_is_not_listened_to(
    owner: Run, real: Real, browser: list[Browse]
) -> None:
    def forge(page: str) -> None:
        for query in ("?code=forged", "?code=forged&state=%C3%A4", "?error=x&state="):
            assert httpx.get(redirect_of(page) + query, timeout=60).status_code == 400

    with real.somebody():
        browser.append(answering("allow", before=forge))
        entered = owner("login")

    assert entered.code == 0, entered.err


def test_nobody_is_waited_for_without_end(
    owner: Run, real: Real, browser: list[Browse], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser_login, "_WAIT_SECONDS", 0.0)
    with real.somebody():
        browser.append(lambda _: None)
        left = owner("login")

    assert (left.code, "nobody logged in" in left.err) == (1, True), left.err


def test_without_a_screen_no_browser_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not browser_login.can_open()

    def none() -> None:
        raise webbrowser.Error

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "get", none)
    assert not browser_login.can_open()
    monkeypatch.setattr(webbrowser, "get", lambda: None)
    assert browser_login.can_open()
