"""`banyan room` as a process that asks who comes: real files, real commands, real HTTP."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from loadtests.ports import free_port
from tests.support.oidc import CLIENT, SECRET, issuer
from tests.support.processes import plain_environment, spawn_process, wait_for_http

pytestmark = pytest.mark.integration
PASSWORD, OTHER = "eleven quiet herons", "a dozen louder geese"
BANYAN = (sys.executable, "-m", "cutover")


@dataclass(slots=True)
class Place:
    """A folder of state, and what was printed over it."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)

    @property
    def var(self) -> Path:
        return self.folder / "var"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def banyan(
        self, *words: str, typed: str = "", code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            [*BANYAN, *words],
            env=plain_environment(BANYAN_VAR=str(self.var), **self.env),
            input=typed, capture_output=True, text=True, check=False, timeout=100,
        )  # fmt: skip
        assert ended.returncode == code, ended.stdout + ended.stderr
        self.printed += [ended.stderr] if words[:2] == ("tokens", "add") else [ended.stdout]
        self.printed.append(ended.stderr)
        return ended

    def add(self, name: str, *roles: str) -> None:
        options = [word for role in roles for word in ("--role", role)]
        self.banyan("people", "add", name, *options, "--password-stdin", typed=f"{PASSWORD}\n")

    def add_token(self, name: str, role: str, *more: str) -> str:
        return self.banyan("tokens", "add", name, "--role", role, *more).stdout.strip()

    @contextmanager
    def room(self, *options: str) -> Iterator[str]:
        port = free_port()
        words = (
            "room",
            "--listen",
            f"127.0.0.1:{port}",
            "--side-door",
            "127.0.0.1:9",
            "--no-steer",
        )
        env = {"BANYAN_VAR": str(self.var), **self.env}
        with spawn_process([*BANYAN, *words, *options], log=self.log, env=env):
            wait_for_http(f"http://127.0.0.1:{port}/healthz", 60)
            yield f"http://127.0.0.1:{port}"
        assert "Traceback" not in self.log.read_text()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def sign_in(url: str, name: str, password: str = PASSWORD) -> requests.Session:
    """A browser of somebody's; it holds a session when the password was right."""
    browser = requests.Session()
    form = {"name": name, "password": password, "next": "/mismatches"}
    browser.post(f"{url}/signin", form, headers={"origin": url}, timeout=30)
    return browser


def status(url: str, browser: requests.Session, path: str = "/api/overview") -> int:
    return browser.get(url + path, timeout=30, allow_redirects=False).status_code


def bearer(token: str) -> requests.Session:
    program = requests.Session()
    program.headers["authorization"] = f"Bearer {token}"
    return program


def test_a_running_room_follows_each_change_to_who_may_use_it(place: Place) -> None:
    anybody = requests.Session()
    with place.room() as url:
        assert status(url, anybody) == 200

        place.add("eva", "operator")
        token = place.add_token("robot", "viewer", "--expires", "1h")
        assert status(url, anybody) == 401
        assert status(url, anybody, "/") == 303
        eva, robot = sign_in(url, "Eva"), bearer(token)
        assert (status(url, eva), status(url, eva, "/"), status(url, robot)) == (200, 200, 200)
        assert robot.post(f"{url}/api/mismatches/x", json={}, timeout=30).status_code == 403
        assert status(url, robot, "/metrics") == 200
        assert status(url, anybody, "/metrics") == 401

        place.banyan("tokens", "revoke", "robot")
        place.banyan("people", "password", "eva", "--password-stdin", typed=f"{OTHER}\n")
        assert (status(url, eva), status(url, robot)) == (401, 401)
        assert status(url, sign_in(url, "eva")) == 401
        eva = sign_in(url, "eva", OTHER)
        assert status(url, eva) == 200

        place.banyan("people", "disable", "eva")
        assert status(url, eva) == 401
        assert status(url, sign_in(url, "eva", OTHER)) == 401
        place.banyan("people", "enable", "eva")
        assert status(url, sign_in(url, "eva", OTHER)) == 200


def test_a_session_outlives_a_restart_and_ends_with_signing_out(place: Place) -> None:
    place.add("eva", "viewer")
    with place.room() as url:
        eva = sign_in(url, "eva")
        other = sign_in(url, "eva")
    kept = {"cookie": f"banyan-room={eva.cookies['banyan-room']}"}
    with place.room() as url:
        page = requests.get(f"{url}/", headers=kept, timeout=30)
        token = re.findall(r'/signout"><input type="hidden" name="token" value="(\w+)', page.text)
        assert page.status_code == 200
        form, headers = {"token": token[0]}, {**kept, "origin": url}
        out = requests.post(
            f"{url}/signout", form, headers=headers, timeout=30, allow_redirects=False
        )
        assert out.status_code == 303
    with place.room() as url:
        again = requests.get(f"{url}/api/overview", headers=kept, timeout=30)
        assert again.status_code == 401
        still = {"cookie": f"banyan-room={other.cookies['banyan-room']}"}
        assert requests.get(f"{url}/api/overview", headers=still, timeout=30).status_code == 200


def test_a_room_that_knows_nobody_serves_no_other_machine_unless_told_to(place: Place) -> None:
    port = free_port()
    listen = ("room", "--listen", f"0.0.0.0:{port}", "--side-door", "127.0.0.1:9", "--no-steer")

    refused = place.banyan(*listen, code=1)

    assert refused.stderr.startswith("banyan: cannot serve 0.0.0.0: nobody is known to this room")
    assert "banyan people add NAME --role admin" in refused.stderr
    env = {"BANYAN_VAR": str(place.var)}
    with spawn_process([*BANYAN, *listen, "--open"], log=place.log, env=env):
        wait_for_http(f"http://127.0.0.1:{port}/api/overview", 60)
    assert "warning: --open: whoever reaches the room may do everything" in place.log.read_text()
    place.add("eva", "viewer")
    with spawn_process([*BANYAN, *listen], log=place.log, env=env):
        wait_for_http(f"http://127.0.0.1:{port}/api/overview", 60, status=401)


def test_a_proxy_that_came_by_https_gets_a_cookie_for_https(place: Place) -> None:
    place.add("eva", "viewer")
    forwarded = {"x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.7", "host": "room.test"}
    form = {"name": "eva", "password": PASSWORD}
    with place.room("--host", "room.test") as url:
        answer = requests.post(
            f"{url}/signin", form, timeout=30, allow_redirects=False,
            headers={**forwarded, "origin": "https://room.test"},
        )  # fmt: skip
        kept = answer.headers["set-cookie"]
        cookie = kept.partition(";")[0]
        with_it = requests.get(
            f"{url}/api/overview", headers={**forwarded, "cookie": cookie}, timeout=30
        )
        strange = requests.post(f"{url}/signin", form, headers={"host": "evil.test"}, timeout=30)

    assert answer.status_code == 303
    assert cookie.startswith("__Host-banyan-room=")
    assert "Secure" in kept.split("; ")
    assert with_it.status_code == 200
    assert strange.status_code == 403


def test_guessing_is_slowed_down(place: Place) -> None:
    place.add("eva", "viewer")
    form = {"name": "eva", "password": "a wrong guess"}
    with place.room() as url:
        answers = [
            requests.post(f"{url}/signin", form, headers={"origin": url}, timeout=30)
            for _ in range(5)
        ]

    assert [one.status_code for one in answers] == [401] * 4 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_people_of_an_issuer_come_in_by_the_roles_it_gives_them(place: Place) -> None:
    place.add("eva", "viewer")
    with issuer() as house:
        place.env = {
            "BANYAN_OIDC_ISSUER": house.url, "BANYAN_OIDC_CLIENT_ID": CLIENT,
            "BANYAN_OIDC_CLIENT_SECRET": SECRET, "BANYAN_OIDC_ROLES": "shop-ops:operator",
        }  # fmt: skip
        house.claims = {"roles": ["shop-ops"]}
        with place.room() as url:
            iris = requests.Session()
            page = iris.get(f"{url}/signin?next=/report", timeout=30)
            assert "/signin/issuer?next=%2Freport" in page.text
            back = iris.get(f"{url}/signin/issuer?next=/report", timeout=60)
            assert (back.status_code, back.url) == (200, f"{url}/report")
            assert "<span>iris</span>" in back.text
            assert iris.post(f"{url}/api/mismatches/x", json={}, timeout=30).status_code == 422
            assert status(url, bearer(house.token())) == 200
            assert status(url, bearer(house.token(aud="another"))) == 401

            replayed = requests.get(f"{url}/signin/back?code=x&state=y", timeout=30)
            assert replayed.status_code == 400
            house.claims = {"roles": ["others"]}
            refused = requests.get(f"{url}/signin/issuer", timeout=60)
            assert refused.status_code in (400, 403)
            house.claims = {"roles": ["shop-ops"], "preferred_username": "eva"}
            imposter = requests.Session()
            answer = imposter.get(f"{url}/signin/issuer", timeout=60)
            assert answer.status_code == 403
            assert "belongs to somebody of this house" in answer.text
            assert status(url, bearer(house.token())) == 401
    _holds_none_of(place, [SECRET])


def test_no_password_and_no_token_is_printed_logged_shown_or_kept(place: Place) -> None:
    place.add("eva", "operator", "admin")
    token = place.add_token("robot", "operator")
    guess = "my other secret words"
    shown: list[str] = []
    with place.room() as url:
        eva, robot = sign_in(url, "eva"), bearer(token)
        session = eva.cookies["banyan-room"]
        for browser in (eva, robot):
            paths = ("/", "/mismatches", "/report", "/api/overview", "/metrics", "/nowhere")
            shown += [browser.get(url + path, timeout=30).text for path in paths]
        headers = {"origin": url}
        for form in ({"name": "eva", "password": guess}, {"name": "bob", "password": guess}):
            failed = requests.post(f"{url}/signin", form, headers=headers, timeout=30)
            shown.append(failed.text + str(failed.headers))
        for wrong in (f"{token}x", "banyan_" + "w" * 40, "e30.e30.e30"):
            shown.append(bearer(wrong).get(f"{url}/api/overview", timeout=30).text)
        place.banyan("people", "list", "--json")
        place.banyan("tokens", "list", "--json")
        place.banyan("people", "add", "bob", "--role", "viewer", typed=f"{guess}\n", code=1)
    shown += place.printed

    found = "\n".join(shown)
    for secret in (PASSWORD, guess, token, session, "$argon2"):
        assert secret not in found
    _holds_none_of(place, [PASSWORD, guess, token, session])
    people = json.loads((place.var / "people.json").read_text())
    assert people["people"]["eva"]["password"].startswith("$argon2id$")
    modes = {
        name: (place.var / name).stat().st_mode & 0o777 for name in ("people.json", "room.key")
    }
    assert set(modes.values()) == {0o600}


def _holds_none_of(place: Place, secrets: list[str]) -> None:
    files = [path for path in place.folder.rglob("*") if path.is_file()]
    assert place.log in files
    for path in files:
        content = path.read_bytes()
        assert [one for one in secrets if one.encode() in content] == [], path
