"""The scraper with a site that behaves: whom it asks, what it sends, what it remembers."""

import gzip
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from captcha_lab.collect.endpoint import classic as endpoint_classic
from captcha_lab.collect.endpoint.config import EndpointConfig
from captcha_lab.collect.endpoint.painter import Painter
from captcha_lab.collect.endpoint.server import running_endpoint
from captcha_lab.collect.scrape import config as scrape_config
from captcha_lab.collect.scrape import http as scrape_http
from captcha_lab.collect.scrape import run as scrape_run
from captcha_lab.collect.scrape import scrape as scrape_module
from captcha_lab.collect.scrape.config import ScrapeConfig, ScrapeStopped
from captcha_lab.collect.scrape.scrape import answers
from captcha_lab.collect.scrape.source import scrape_source
from captcha_lab.errors import UsageError
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.workspace import Workspace
from tests.collect.conftest import Scraping


@contextmanager
def recording_site(
    media_type: str = "image/jpeg", encoding: str = "", pack: Callable[[bytes], bytes] = bytes
) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A site that sets a cookie with each fresh captcha and notes the headers it was sent."""
    seen: list[dict[str, str]] = []
    rng = np.random.default_rng(0)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/robots.txt":
                self.send_error(404)
                return
            seen.append(dict(self.headers))
            body = pack(endpoint_classic.encode(endpoint_classic.render("A7KX", rng)))
            self.send_response(200)
            headers = {
                "Content-Type": media_type,
                "Content-Encoding": encoding,
                "Content-Length": len(body),
                "Set-Cookie": "id=1",
            }
            for name, value in headers.items():
                if value:
                    self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/captcha", seen
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes this machine count as somebody else's."""
    for module in (scrape_module, scrape_run):
        monkeypatch.setattr(module, "is_loopback", lambda url: False)


def test_count_is_a_total_so_that_a_rerun_resumes(scraping: Scraping) -> None:
    with running_endpoint(seed=1) as url:
        assert scraping(url, count=3).stored == 3
        assert scraping(url, count=5).stored == 2
        again = scraping(url, count=5)
    assert (again.total, again.stored, again.distinct) == (5, 0, 5)
    assert "a larger --count fetches more" in scraping.said[-1]
    assert len(scraping.fetches) == 5


def test_progress_is_told_after_each_captcha(scraping: Scraping) -> None:
    told = []
    with running_endpoint(seed=1) as url:
        scraping(url, count=3, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_bytes_are_kept_exactly_as_received(scraping: Scraping) -> None:
    with running_endpoint(seed=4) as url:
        scraping(url, count=2)
    painter = Painter(EndpointConfig(seed=4))
    stored = {path.read_bytes() for path in scraping.folder.blobs.rglob("*.jpg")}
    assert stored == {painter(0)[1], painter(1)[1]}


def test_answers_of_a_loopback_endpoint_are_kept(scraping: Scraping) -> None:
    with running_endpoint(seed=4, with_answers=True) as url:
        scraping(url, count=3)
    painter = Painter(EndpointConfig(seed=4))
    with Catalog(scraping.folder.catalog_path) as catalog:
        assert list(answers(catalog).values()) == [painter(k)[0] for k in range(3)]


def test_it_says_who_it_is_and_sends_no_credentials_or_cookies(
    scraping: Scraping, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with recording_site() as (url, seen):
        scraping(url, count=3, contact="me@example.org")
    assert len(seen) == 3
    for headers in seen:
        assert headers["User-Agent"].startswith("captcha-lab/")
        assert "contact me@example.org" in headers["User-Agent"]
        assert headers["Accept-Encoding"] == "identity"
        assert not {"Authorization", "Cookie"} & headers.keys()


def test_cookies_are_sent_on_when_configured(scraping: Scraping) -> None:
    with recording_site() as (url, seen):
        scraping(url, count=2, cookies=True)
    assert [headers.get("Cookie") for headers in seen] == [None, "id=1"]


@pytest.mark.parametrize(
    "media_type", ["", "application/octet-stream", "image/png", "text/html", "text/plain", "application/json"]
)
def test_a_picture_is_known_by_its_bytes_whatever_type_is_declared(
    scraping: Scraping, media_type: str
) -> None:
    with recording_site(media_type) as (url, _):
        scraping(url, count=1)
    assert [path.suffix for path in scraping.folder.blobs.rglob("*.*")] == [".jpg"]


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_packed_body_is_unpacked(scraping: Scraping, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    with recording_site(encoding=encoding, pack=pack) as (url, _):
        assert scraping(url, count=1).stored == 1
    assert [path.read_bytes()[:2] for path in scraping.folder.blobs.rglob("*.jpg")] == [b"\xff\xd8"]


@pytest.mark.parametrize(
    ("encoding", "pack", "said"),
    [
        ("gzip", lambda body: body, "the gzip body is damaged"),
        ("gzip", lambda body: gzip.compress(body)[:-20], "the gzip body is cut short"),
        ("br", lambda body: body, "the body is br-encoded, which was not asked for"),
    ],
)
def test_a_badly_packed_body_is_not_kept(
    scraping: Scraping, encoding: str, pack: Callable[[bytes], bytes], said: str
) -> None:
    with recording_site(encoding=encoding, pack=pack) as (url, _), pytest.raises(ScrapeStopped, match=said):
        scraping(url, count=1)
    assert {fetch.outcome for fetch in scraping.fetches} == {"failed"}


def test_a_dead_port_is_said(scraping: Scraping) -> None:
    with running_endpoint() as url:
        pass
    with pytest.raises(ScrapeStopped, match=r"robots.txt can't be read \(.*refused\)"):
        scraping(url, count=1)


def test_tls_that_cannot_be_trusted_is_said(scraping: Scraping) -> None:
    with (
        running_endpoint() as url,
        pytest.raises(ScrapeStopped, match=r"the TLS connection can't be trusted"),
    ):
        scraping(url.replace("http:", "https:"), count=1)


def test_robots_are_asked_again_after_a_day(scraping: Scraping) -> None:
    faults = "robots.ok,robots.disallow"
    with running_endpoint(seed=1, faults=faults) as url, pytest.raises(ScrapeStopped, match="forbids"):
        scraping(url, count=9, rate=1 / 50_000)
    assert [fetch.outcome for fetch in scraping.fetches] == ["stored", "stored", "refused"]


# Somebody else's site


@pytest.mark.usefixtures("foreign")
def test_a_foreign_site_needs_a_contact(scraping: Scraping) -> None:
    with pytest.raises(UsageError, match="--contact"):
        scraping("http://127.0.0.1:9/captcha", authorised=True)
    assert not scraping.folder.root.exists()


@pytest.mark.usefixtures("foreign")
def test_a_foreign_site_needs_authorisation(scraping: Scraping) -> None:
    with pytest.raises(UsageError, match="say it with --i-am-authorised"):
        scraping("http://127.0.0.1:9/captcha", contact="me@example.org")
    with pytest.raises(UsageError, match="for sites you may test"):
        scraping("http://127.0.0.1:9/captcha", contact="me@example.org", confirm=lambda question: False)
    assert not scraping.folder.root.exists()


@pytest.mark.usefixtures("foreign")
def test_authorisation_is_asked_once_remembered_and_bound_to_the_origin(scraping: Scraping) -> None:
    asked = []

    def confirm(question: str) -> bool:
        asked.append(question)
        return True

    for _ in range(2):
        with running_endpoint(port=0, seed=1) as url:
            scraping(url, count=1, contact="me@example.org", confirm=confirm)
            scraping(url, count=2, contact="me@example.org", confirm=confirm)
    assert len(asked) == 2  # once for each of the two origins
    said = [fact for fact in scraping.provenance if fact["kind"] == "authorisation"]
    assert [fact["how"] for fact in said] == ["confirmed", "confirmed"]
    assert said[0]["contact"] == "me@example.org"
    assert said[0]["origin"] in asked[0]


@pytest.mark.usefixtures("foreign")
def test_a_foreign_site_is_asked_once_a_second_and_the_user_agent_is_recorded(scraping: Scraping) -> None:
    with running_endpoint(seed=1) as url:
        scraping(url, count=4, contact="me@example.org", authorised=True)
    assert len(scraping.sleeps) == 4
    assert min(scraping.sleeps) > 0.99
    assert max(scraping.sleeps) <= 1.25
    facts = {fact["kind"]: fact for fact in scraping.provenance}
    assert facts["authorisation"]["how"] == "--i-am-authorised"
    assert "me@example.org" in facts["scrape"]["user_agent"]
    assert facts["scrape"]["url"] == url


def test_loopback_is_not_slowed_or_asked_about(scraping: Scraping) -> None:
    with running_endpoint(seed=1) as url:
        scraping(url, count=3)
    assert scraping.sleeps == []


def test_a_rate_is_kept_on_loopback_too(scraping: Scraping) -> None:
    with running_endpoint(seed=1) as url:
        scraping(url, count=3, rate=0.1)
    assert min(scraping.sleeps) >= 10


# Being told to wait


@pytest.mark.parametrize("fault", ["429=20", "503=date:20"])
def test_retry_after_is_never_undercut(
    scraping: Scraping, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = []
    plain_get = scrape_http.Client.get

    def get(client: Any, url: Any) -> Any:
        starts.append(scraping.clock.wall())
        return plain_get(client, url)

    monkeypatch.setattr(scrape_http.Client, "get", get)
    with running_endpoint(seed=1, faults=fault) as url:
        scraping(url, count=1)
    # An HTTP date has whole seconds: "20 s from now" is written up to one second early.
    assert starts[2] - starts[1] >= (20 if "date" not in fault else 19)
    assert any("; waiting " in line for line in scraping.said)


def test_a_wait_holds_for_the_next_run(scraping: Scraping) -> None:
    with running_endpoint(seed=1, faults="429=2000") as url:
        with pytest.raises(ScrapeStopped, match="asks to come back after") as first:
            scraping(url, count=1)
        with pytest.raises(ScrapeStopped, match="asked an earlier run to come back after") as second:
            scraping(url, count=1)
        assert first.value.resume_at == second.value.resume_at
        assert len(scraping.fetches) == 1  # the second run sent nothing
        scraping.skipped += 1900
        scraping(url, count=1)
    assert scraping.sleeps[0] == pytest.approx(100)
    assert any("asked an earlier run to wait" in line for line in scraping.said)


# No URL


def test_with_no_url_the_built_in_endpoint_is_started_and_named(tmp_path: Path) -> None:
    (tmp_path / "captcha-lab.toml").write_text('dataset = "digits"\nlength = 5\nalphabet = "0123456789"\n')
    said: list[str] = []
    result = scrape_source(Workspace.find(tmp_path), ScrapeConfig(count=2), say=said.append)
    assert (result.dataset, result.stored) == ("digits", 2)
    assert "built-in endpoint" in said[0]
    with Catalog(tmp_path / "datasets" / "digits" / "catalog.sqlite") as catalog:
        assert [(image.width, image.height) for image in catalog.images()] == [(100, 20)] * 2


def test_the_configured_source_and_contact_are_used(tmp_path: Path) -> None:
    with recording_site() as (url, seen):
        (tmp_path / "captcha-lab.toml").write_text(f'source = "{url}"\ncontact = "owner@example.org"\n')
        result = scrape_source(Workspace.find(tmp_path), ScrapeConfig(count=1), dataset="other")
    assert (result.dataset, result.url) == ("other", url)
    assert "owner@example.org" in seen[0]["User-Agent"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"count": 0}, "--count 0"),
        ({"rate": 0.0}, "--rate 0"),
        ({"rate": float("nan")}, "--rate nan"),
        ({"rate": float("inf")}, "--rate inf"),
        ({"contact": "me"}, "--contact 'me'"),
        ({"contact": "a@b\r\nX: y"}, "neither a mail address nor a URL"),
    ],
)
def test_impossible_configurations(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        scrape_config.ScrapeConfig(**options)
