"""Whatever is wrong with a changed file: the last good table stays, and the proxy says what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.proxy.certificates import Authority, Files
from tests.integration.proxy.harness import Client, Proxy, eventually, get, origin, proxy

pytestmark = pytest.mark.integration
TABLE = """
apiVersion: banyan/v1
stores:
  legacy: {{url: "{legacy}"}}
  core: {{url: "{core}"}}
shopper: ["header:Session-Id"]
domains:
  catalog:
    owner: a
    stage: core
    routes: [{{path: "/x/"}}]
"""


@dataclass
class Place:
    """A running proxy and what a bad file may need."""

    running: Proxy
    good: str
    folder: Path
    files: Files
    other: Files
    ca: Path

    def https(self, tls: str) -> str:
        """The good table, with a core that speaks TLS in this way."""
        line = next(line for line in self.good.splitlines() if "core: {url" in line)
        url = line.split('"')[1].replace("http:", "https:")
        return self.good.replace(line, f'  core: {{url: "{url}", tls: {{{tls}}}}}')

    def file(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("bad")
    authority = Authority(folder)
    files, other = authority.issue("one"), authority.issue("two")
    with origin() as legacy, origin() as core:
        good = TABLE.format(legacy=legacy.url, core=core.url)
        with proxy(folder / "p", good) as running:
            yield Place(running, good, folder, files, other, authority.certificate)


def replaced(old: str, new: str) -> Callable[[Place], str]:
    def make(place: Place) -> str:
        assert old in place.good
        return place.good.replace(old, new, 1)

    return make


def pair(place: Place, certificate: Path, key: Path) -> str:
    return place.https(f"ca: {place.ca}, certificate: {certificate}, key: {key}")


ROUTE = 'routes: [{path: "/x/"}]'
BAD: dict[str, tuple[Callable[[Place], str | bytes], str]] = {
    # Files.
    "empty": (lambda _: "", "routing.yaml"),
    "only blanks": (lambda _: "\n\n", "routing.yaml"),
    "not UTF-8": (lambda place: place.good.encode() + b"# \xff\xfe\n", "UTF-8"),
    "a NUL": (lambda place: place.good + "\x00", "routing.yaml"),
    "no YAML": (lambda place: place.good + "  - [", "routing.yaml"),
    "cut off in the middle": (lambda place: place.good[: len(place.good) // 2], "routing.yaml"),
    "a list": (lambda _: "- apiVersion: banyan/v1\n", "routing.yaml"),
    "two documents": (lambda place: place.good + "---\n" + place.good, "document"),
    "a key twice": (lambda place: place.good + "shopper: []\n", "shopper"),
    "an alias": (replaced('["header:Session-Id"]', "&a [*a]"), "alias"),
    "too large": (lambda place: place.good + "#" * (9 << 20), "8"),
    "another form": (replaced("banyan/v1", "banyan/v9"), "apiVersion"),
    # What it says.
    "an unknown key": (replaced("owner: a", "owner: a\n    colour: red"), "colour"),
    "an unknown stage": (replaced("stage: core", "stage: moon"), "stage"),
    "no owner": (replaced("owner: a", "# nobody"), "owner"),
    "a share outside of canary": (
        replaced("stage: core", "stage: core\n    core_share: 5%"), "core_share"),
    "a share without its sign": (
        replaced("stage: core", "stage: canary\n    core_share: 5"), "core_share"),
    "canary without a share": (replaced("stage: core", "stage: canary"), "core_share"),
    "a route twice": (replaced(ROUTE, 'routes: [{path: "/x/"}, {path: "/x/"}]'), "/x/"),
    "a path without a slash": (replaced('"/x/"', '"x"'), "path"),
    "a pattern in the middle": (replaced('"/x/"', '"/{a...}/b"'), "path"),
    "an unknown method": (replaced('"/x/"}', '"/x/", methods: [BREW]}'), "methods"),
    "a cohort of nobody": (replaced("owner: a", "owner: a\n    cohort_with: ghosts"), "ghosts"),
    "a pin without an end": (replaced("owner: a", "owner: a\n    pin: {}"), "pin"),
    "an unknown shopper": (replaced("header:Session-Id", "address:"), "shopper"),
    "only one store": (replaced("  core: {url", "  third: {url"), "stores"),
    "a store without http": (replaced('  core: {url: "http', '  core: {url: "ftp'), "core"),
    "a timeout without its unit": (
        replaced('"}\nshopper', '", timeouts: {connect: 5}}\nshopper'), "connect"),
    # Certificates of stores.
    "TLS without https": (
        replaced('"}\nshopper', '", tls: {ca: /none}}\nshopper'), "stores.core.tls"),
    "an authority that is not there": (
        lambda place: place.https(f"ca: {place.folder}/none.pem"), "none.pem"),
    "an authority that is a folder": (lambda place: place.https(f"ca: {place.folder}"), "tls"),
    "an authority that is no certificate": (
        lambda place: place.https(f"ca: {place.file('noise.pem', b'noise')}"), "noise.pem"),
    "an empty authority": (
        lambda place: place.https(f"ca: {place.file('empty.pem', b'')}"), "empty.pem"),
    "a key of another certificate": (
        lambda place: pair(place, place.files.certificate, place.other.key), "tls"),
    "a certificate that is cut off": (
        lambda place: pair(
            place,
            place.file("cut.pem", place.files.certificate.read_bytes()[:300]),
            place.files.key,
        ), "cut.pem"),
    "a key that is no key": (
        lambda place: pair(place, place.files.certificate, place.file("bad.key", b"no key")),
        "tls"),
    "a certificate without its key": (
        lambda place: place.https(f"ca: {place.ca}, certificate: {place.ca}"), "tls"),
    "a key without its certificate": (
        lambda place: place.https(f"ca: {place.ca}, key: {place.files.key}"), "tls"),
}  # fmt: skip


def side(running: Proxy) -> str | None:
    with Client(running) as client:
        return client.ask(get("/x/")).value("x-served-by")


def write(running: Proxy, content: str | bytes) -> None:
    """Replace the file as a whole, as a deployment does."""
    fresh = running.config.with_suffix(".fresh")
    fresh.write_bytes(content if isinstance(content, bytes) else content.encode())
    fresh.replace(running.config)


def problem(running: Proxy) -> str | None:
    told: str | None = running.door_json("/readyz")["problem"]
    return told


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_changes_nothing_and_is_named(name: str, place: Place) -> None:
    make, named = BAD[name]
    running = place.running
    revision = running.door_json("/readyz")["revision"]
    write(running, make(place))
    reported = eventually(lambda: problem(running) is not None)
    told, after = problem(running), side(running)
    ready = running.door_json("/readyz")
    write(running, place.good)
    mended = eventually(lambda: problem(running) is None)

    assert reported
    assert named.lower() in (told or "").lower()
    assert "Traceback" not in (told or "")
    assert after == "core"
    assert (ready["ready"], ready["revision"]) == (True, revision)
    assert mended
    assert running.process.poll() is None


def test_a_file_that_goes_away_changes_nothing(place: Place) -> None:
    running = place.running
    running.config.unlink()
    reported = eventually(lambda: problem(running) is not None)
    after = side(running)
    write(running, place.good)

    assert reported
    assert after == "core"
    assert eventually(lambda: problem(running) is None)
