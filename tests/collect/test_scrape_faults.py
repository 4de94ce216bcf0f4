"""The scraper against an endpoint that misbehaves, over real sockets: what is stored, said and remembered."""

import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from captcha_lab.collect.endpoint.config import EndpointConfig
from captcha_lab.collect.endpoint.faults import ODD_WAITS, huge_png
from captcha_lab.collect.endpoint.painter import Painter
from captcha_lab.collect.endpoint.server import running_endpoint
from captcha_lab.collect.scrape.config import ScrapeConfig, ScrapeStopped
from captcha_lab.collect.scrape.hold import FOLDER, OriginHold
from captcha_lab.collect.scrape.line import AUTHORITY_VARIABLES, proxies
from captcha_lab.collect.scrape.url import origin
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.store.blobs import BlobStore
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.images import decode
from tests.collect.conftest import Scraping

# Faults that pass: each costs one attempt, which leaves this row; then three captchas come.
PASSING = {
    "429": ("failed", 429, "429 Too Many Requests"),
    "429=2": ("failed", 429, "429 Too Many Requests"),
    "429=date:3": ("failed", 429, "429 Too Many Requests"),
    "503": ("failed", 503, "503 Service Unavailable"),
    "503=2": ("failed", 503, "503 Service Unavailable"),
    "503=date:3": ("failed", 503, "503 Service Unavailable"),
    "503=soon": ("failed", 503, "503 Service Unavailable"),
    "408": ("failed", 408, "408 Request Timeout"),
    "500": ("failed", 500, "500 Internal Server Error"),
    "599": ("failed", 599, "599"),
    "stall=30": ("failed", None, "no answer within 1 s"),
    "drip=.005": ("failed", 200, "not done after 2 s"),
    "drip=.3": ("failed", None, "not done after 2 s"),  # not even the status line comes through
    "reset": ("failed", 200, "the body broke off"),
    "truncate": ("failed", 200, "the body broke off"),
    "short": ("refused", 200, "cut short"),
    "html": ("refused", 200, "an HTML page, sent as image/jpeg"),
    "empty": ("refused", 200, "the body is empty"),
    "zero": ("refused", 200, "0x0 pixels"),
    "huge": ("refused", 200, "20000x20000 pixels"),
    "bomb=8": ("failed", 200, "unpacks to more than 1048576"),
    "endless": ("failed", 200, "a body of more than 1048576 bytes"),
    "animated": ("refused", 200, "an animated GIF is not taken"),
    "damaged": ("refused", 200, "damaged"),
    "damaged=crc": ("refused", 200, "the checksum of its 'IDAT' chunk is wrong"),
    "damaged=endless": ("refused", 200, "cut short"),
    "damaged=claims": ("refused", 200, "cut short"),
    "429=3.5": ("failed", 429, "429 Too Many Requests"),
    "wait": ("failed", 429, "429 Too Many Requests"),
    "wait=list": ("failed", 429, "429 Too Many Requests"),
    "wait=twice": ("failed", 429, "429 Too Many Requests"),
    "wait=plus": ("failed", 429, "429 Too Many Requests"),
    "413=2": ("failed", 413, "413 "),
    "exotic=apng": ("refused", 200, "an animated PNG is not taken"),
    "exotic=tiff": ("refused", 200, "TIFF images are not taken"),
    "exotic=svg": ("refused", 200, "SVG images are not taken"),
}


@pytest.mark.parametrize("spec", PASSING)
def test_a_passing_fault_costs_one_attempt(spec: str, scraping: Scraping) -> None:
    outcome, status, note = PASSING[spec]
    huge_png()  # made once, before the clock runs
    limits = {"silence": 1.0, "deadline": 2.0} if spec.startswith(("stall", "drip")) else {}
    with running_endpoint(seed=1, faults=spec) as url:
        result = scraping(url, count=3, **limits)
    first, *others = scraping.fetches
    assert (first.outcome, first.status, first.image_id) == (outcome, status, None)
    assert note in first.note
    assert any(note in line for line in scraping.said)
    assert [row.outcome for row in others] == ["stored"] * 3
    assert (result.total, result.distinct, result.stored) == (3, 3, 3)
    assert (result.refused, result.failed) == ((1, 0) if outcome == "refused" else (0, 1))
    assert_whole(scraping, 3)


@pytest.mark.parametrize("frame", ["1", "merge"])
def test_an_animation_is_taken_on_request(frame: str, scraping: Scraping) -> None:
    with running_endpoint(seed=1, faults="animated") as url:
        result = scraping(url, count=3, frame=frame)
    assert (result.stored, result.refused) == (3, 0)
    assert_whole(scraping, 3)


def assert_whole(scraping: Any, count: int) -> None:
    """Every image row has its bytes, they decode, and no bytes lie there that no row names."""
    blobs = BlobStore(scraping.folder.blobs)
    with Catalog(scraping.folder.catalog_path) as catalog:
        rows = catalog.images()
    for row in rows:
        assert decode(blobs.get(row.sha256, row.extension)).shape[:2] == (row.height, row.width)
    files = [path for path in scraping.folder.blobs.rglob("*") if path.is_file()] if count else []
    assert len(rows) == len(files) == count


def test_a_png_cut_short_is_refused(scraping: Scraping) -> None:
    with running_endpoint(style="image", seed=1, faults="short") as url:
        assert scraping(url, count=1).refused == 1
    assert "cut short" in scraping.fetches[0].note
    assert_whole(scraping, 1)


# Faults that end the run: what is said, the last row, and how many captchas were kept before.
ENDING = {
    "ok,401": ("401 Unauthorized: the site does not want this", "failed", 401, 1),
    "ok,403": ("403 Forbidden: the site does not want this", "failed", 403, 1),
    "ok,404": ("404 Not Found: check the URL", "failed", 404, 1),
    "ok,410": ("410 Gone: check the URL", "failed", 410, 1),
    "ok*2,500*forever": ("5 attempts in a row gave no captcha (the last: 500 Internal", "failed", 500, 2),
    "ok,403=400": ("403 Forbidden: the site does not want this", "failed", 403, 1),
    "later=400": ("asks to be fetched from again after 2", None, None, 0),
    "robots.delay=1e9": ("asks to be fetched from again after 2", None, None, 0),
    "robots.delay=inf": ("asks to be fetched from again after 2", None, None, 0),
    "robots.delay=99999999999": ("asks to be fetched from again after 2", None, None, 0),
    "robots.rate=1/10m": ("asks to be fetched from again after 2", None, None, 0),
    "robots.version": ("forbids", "refused", None, 0),
    "robots.utf16": ("robots.txt is no text in UTF-8", "failed", 200, 0),
    "html*forever": ("5 attempts in a row gave no captcha (the last: an HTML page", "refused", 200, 0),
    "reset*forever": ("5 attempts in a row gave no captcha (the last: the body broke", "failed", 200, 0),
    "ok,429=301": ("429 Too Many Requests and asks to come back after 2", "failed", 429, 1),
    "503=date:9999": ("503 Service Unavailable and asks to come back after 2", "failed", 503, 0),
    "503=99999999999999999999": ("asks to come back after 2343", "failed", 503, 0),
    "ok,elsewhere": ("redirects to another origin, http://127.0.0.1:9/captcha", "refused", None, 1),
    "digits": ("redirects", "refused", None, 0),
    "elsewhere=file:///etc/passwd": ("redirects to another origin", "refused", None, 0),
    "loop": ("redirects in a circle", "refused", None, 0),
    "elsewhere=/private": ("/private, which robots.txt forbids", "refused", None, 0),
    "robots.disallow": ("forbids", "refused", None, 0),
    "robots.500": ("robots.txt answers 500 Internal Server Error", "failed", 500, 0),
    "robots.429=60": ("so its rules are unknown and nothing is fetched. Try again after 2", "failed", 429, 0),
    "robots.403": ("robots.txt answers 403 Forbidden", "failed", 403, 0),
    "robots.stall": ("robots.txt can't be read (no answer within 1 s)", "failed", None, 0),
    "robots.drip=.1": ("robots.txt can't be read (not done after 2 s)", "failed", None, 0),
    "robots.truncate": ("robots.txt can't be read (the body broke off", "failed", None, 0),
    "robots.endless": ("robots.txt can't be read (a body of more than", "failed", None, 0),
    "robots.elsewhere": ("robots.txt: it redirects to another origin", "failed", None, 0),
}


@pytest.mark.parametrize("spec", ENDING)
def test_an_ending_fault_stops_and_says_why(spec: str, scraping: Scraping) -> None:
    said, outcome, status, kept = ENDING[spec]
    limits = {"silence": 1.0, "deadline": 2.0} if "robots" in spec else {}
    with running_endpoint(seed=1, faults=spec) as url, pytest.raises(ScrapeStopped) as stop:
        scraping(url, count=9, **limits)
    assert said in str(stop.value)
    assert f"{kept} of 9 captchas are in dataset 'captcha'; the same command goes on" in str(stop.value)
    if outcome is None:
        assert not scraping.fetches
    else:
        last = scraping.fetches[-1]
        assert (last.outcome, last.status) == (outcome, status)
    assert stop.value.result.total == kept
    assert_whole(scraping, kept)


def test_a_stopped_scrape_goes_on_when_the_site_is_well(scraping: Scraping) -> None:
    with running_endpoint(seed=1, faults="ok*2,403") as url:
        with pytest.raises(ScrapeStopped):
            scraping(url, count=5)
        result = scraping(url, count=5)
    assert (result.total, result.stored) == (5, 3)


def test_robots_that_are_a_page_bind_nothing_and_are_said(scraping: Scraping) -> None:
    with running_endpoint(faults="robots.page") as url:
        assert scraping(url, count=2).stored == 2
    assert any("HTML page" in line for line in scraping.said)


def test_a_crawl_delay_is_kept_even_on_loopback(scraping: Scraping) -> None:
    with running_endpoint(faults="robots.delay=7") as url:
        scraping(url, count=3, rate=100.0)
    assert len(scraping.sleeps) == 3  # after robots.txt, and between the captchas
    assert min(scraping.sleeps) >= 7


def test_redirects_within_the_site_are_followed_and_noted(scraping: Scraping) -> None:
    with running_endpoint(seed=1, faults="hop") as url:
        scraping(url, count=2)
    assert scraping.fetches[0].note == f"redirected to {url.replace('/captcha', '/moved/captcha')}"
    assert scraping.fetches[1].note == ""


def test_duplicates_are_stored_once_counted_and_warned_of(scraping: Scraping) -> None:
    with running_endpoint(seed=1, faults="same*25") as url:
        result = scraping(url, count=25)
    assert (result.total, result.distinct, result.stored, result.duplicates) == (25, 1, 1, 24)
    assert "96% of the captchas received are exact duplicates" in result.warnings[0]
    assert_whole(scraping, 1)


def test_a_random_endpoint_is_not_suspected(scraping: Scraping) -> None:
    with running_endpoint(seed=1) as url:
        assert scraping(url, count=25).warnings == ()


# What sites do that harms nothing: the first captcha comes all the same.
HARMLESS = (
    "as=text/html",
    "as=application/octet-stream",
    "hints",
    "length",
    "later=2",
    "utf8",
    "exotic=webp",
)


@pytest.mark.parametrize("spec", HARMLESS)
def test_an_odd_reply_that_holds_a_captcha_is_taken(spec: str, scraping: Scraping) -> None:
    with running_endpoint(seed=1, faults=spec) as url:
        assert scraping(url, count=2).stored == 2
    assert_whole(scraping, 2)


def test_a_redirect_that_asks_for_time_gets_it(scraping: Scraping) -> None:
    with running_endpoint(seed=1, faults="later=25") as url:
        scraping(url, count=1)
    assert max(scraping.sleeps) >= 25


@pytest.mark.parametrize("form", ODD_WAITS)
def test_a_wait_is_understood_however_it_is_written(form: str, scraping: Scraping) -> None:
    with running_endpoint(seed=1, faults=f"wait={form}") as url:
        scraping(url, count=1)
    assert max(scraping.sleeps) >= 9


@pytest.mark.parametrize("form", ["base64", "url"])
def test_a_captcha_in_json_is_taken_out(form: str, scraping: Scraping) -> None:
    with running_endpoint(seed=1, faults=f"json={form}*2,ok") as url:
        assert scraping(url, count=2, json_field="data.image").stored == 2
        with pytest.raises(ScrapeStopped, match="the reply is not JSON"):
            scraping(url, count=3, json_field="data.image")
    assert_whole(scraping, 2)


def test_json_without_the_field_says_what_is_there(scraping: Scraping) -> None:
    with running_endpoint(seed=1, faults="json*forever") as url:
        for field, said in (
            ("image", "there: data"),
            ("data.picture", "there: image"),
            ("data", "no text but dict"),
        ):
            with pytest.raises(ScrapeStopped, match=said):
                scraping(url, count=1, json_field=field)
        with pytest.raises(ScrapeStopped, match="not an image of a known format"):
            scraping(url, count=1)


@pytest.mark.parametrize(
    "faults", ["429=90", "later=90", "403=90", "404=90", "413=90", "503=90, 503=90", "robots.503=90"]
)
def test_a_wait_holds_for_every_data_set_of_the_workspace(
    faults: str, scraping: Scraping, tmp_path: Path
) -> None:
    with running_endpoint(seed=1, faults=faults) as url:
        with suppress(ScrapeStopped):
            scraping(url, count=1, max_wait=60.0)
        other = Scraping(tmp_path, "other")
        other.clock = scraping.clock
        with pytest.raises(ScrapeStopped, match="asked an earlier run to come back after") as stop:
            other(url, count=1, max_wait=60.0)
        assert stop.value.resume_at is not None
        assert not other.fetches
        scraping.skipped += 91
        assert other(url, count=1).total == 1


def test_only_one_process_at_a_time_asks_a_site(scraping: Scraping, tmp_path: Path) -> None:
    with running_endpoint(seed=1) as url:
        hold = OriginHold.of(scraping.folder, origin(url))
        with hold.turn(), pytest.raises(CaptchaLabError, match=r"Another scrape of .* is under way"):
            Scraping(tmp_path, "other")(url, count=1)
        assert scraping(url, count=1).total == 1
    assert not list((tmp_path / "datasets" / FOLDER).glob("*"))  # nothing is left where nothing was asked for


def test_a_damaged_memory_of_a_wait_is_no_leave(scraping: Scraping) -> None:
    with running_endpoint(seed=1) as url:
        path = OriginHold.of(scraping.folder, origin(url)).path
        path.parent.mkdir(parents=True)
        for text in ("", "{", '{"not_before": NaN}', "[" * 100_000, '{"not_before": "soon"}'):
            path.write_text(text)
            with pytest.raises(CaptchaLabError, match="is damaged"):
                scraping(url, count=1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody knows, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine")
    folder = tmp_path_factory.mktemp("authority")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    subprocess.run(
        [*command.split(), "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "ca.pem"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder / "ca.pem", folder / "key.pem"


@contextmanager
def tls_site(certificate: Path, key: Path) -> Iterator[str]:
    _, picture = Painter(EndpointConfig(seed=1))(0)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/robots.txt":
                return self.send_error(404)
            self.send_response(200)
            self.send_header("Content-Length", str(len(picture)))
            self.end_headers()
            self.wfile.write(picture)
            return None

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_address[1]}/captcha"
        server.shutdown()


def test_an_authority_of_ones_own_is_trusted_where_it_is_named(
    authority: tuple[Path, Path], scraping: Scraping, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tls_site(*authority) as url:
        for name in AUTHORITY_VARIABLES:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority[0]))
        with pytest.raises(ScrapeStopped, match=r"can't be trusted .*give --ca FILE"):
            scraping(url, count=1)
        assert scraping(url, count=1, environment=True).total == 1
        assert scraping(url, count=2, ca=str(authority[0])).total == 2
        with pytest.raises(UsageError, match="holds no certificates"):
            scraping(url, count=3, ca=str(authority[1]))
        with pytest.raises(UsageError, match="no such file"):
            scraping(url, count=3, ca="nowhere.pem")


def test_a_proxy_is_used_only_on_request_and_never_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:1")
    url = "https://example.org/captcha"
    assert proxies(ScrapeConfig(), url) == {}
    assert proxies(ScrapeConfig(environment=True), url)["https"] == "http://proxy.example:1"
    assert proxies(ScrapeConfig(proxy="http://mine.example:2"), url)["https"] == "http://mine.example:2"
    assert proxies(ScrapeConfig(proxy="http://mine.example:2"), "http://127.0.0.1/") == {}
    with pytest.raises(UsageError, match="--proxy"):
        ScrapeConfig(proxy="socks5://x")


_MEASURE = """
import resource, sys
from pathlib import Path
from captcha_lab.collect.scrape.scrape import scrape
from captcha_lab.collect.scrape.config import ScrapeConfig
from captcha_lab.collect.scrape.pace import Clock
from captcha_lab.store.workspace import Workspace
folder, url = Workspace(Path(sys.argv[1])).dataset(), sys.argv[2]
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB
time = [0.0]
clock = Clock(lambda: time[0], lambda: time[0], lambda s: time.__setitem__(0, time[0] + s))
scrape(folder, url, ScrapeConfig(count=2), clock=clock)
before = peak()
result = scrape(folder, url, ScrapeConfig(count=6, max_failures=9), clock=clock)
print(result.total, result.refused, result.failed, peak() - before)
"""


def test_memory_stays_bounded_under_bombs(tmp_path: Path) -> None:
    faults = "ok*2,damaged=claims,bomb=256,huge,endless,zero,bomb=256,huge,endless"
    huge_png()
    with running_endpoint(seed=1, faults=faults) as url:
        done = subprocess.run(
            [sys.executable, "-c", _MEASURE, str(tmp_path), url], capture_output=True, text=True, check=True
        )
    total, refused, failed, grown = map(int, done.stdout.split())
    assert (total, refused, failed) == (6, 4, 4)
    # The bombs would be 256 MiB, 400 MB and without end; two body caps and their copies are a few MiB.
    assert grown < 24 * 1024
