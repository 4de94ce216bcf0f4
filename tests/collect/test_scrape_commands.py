"""`captcha-lab serve` and `captcha-lab scrape` as a person or a script runs them."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from typer.testing import CliRunner, Result

from captcha_lab.cli import app
from captcha_lab.collect.endpoint.config import ANSWER_HEADER
from captcha_lab.collect.endpoint.server import running_endpoint
from captcha_lab.store.catalog.catalog import Catalog
from tests.helpers import present


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def one_line_of_error(result: Result, exit_code: int) -> str:
    assert result.exit_code == exit_code, result.output
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output
    return result.stderr


def test_scrape_with_json_prints_one_object(workspace: Path) -> None:
    with running_endpoint(seed=1) as url:
        result = run("scrape", url, "--count", "3", "--dataset", "mine", "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert (report["stored"], report["distinct"], report["dataset"], report["url"]) == (3, 3, "mine", url)
    with Catalog(workspace / "datasets" / "mine" / "catalog.sqlite", create=False) as catalog:
        assert len(catalog.images()) == 3


def test_scrape_without_a_url_says_that_it_uses_the_built_in_endpoint(workspace: Path) -> None:
    result = run("scrape", "--count", "2")
    assert result.exit_code == 0
    assert "No URL given and none configured: scraping the built-in endpoint" in result.stderr
    assert "2 new captchas" in result.stdout


def test_scrape_warns_of_duplicates(workspace: Path) -> None:
    with running_endpoint(seed=1, faults="same*forever") as url:
        result = run("scrape", url, "--count", "20")
    assert result.exit_code == 0
    assert "Warning: 95% of the captchas received are exact duplicates" in result.stderr


def test_a_stop_is_one_line_and_exit_1(workspace: Path) -> None:
    with running_endpoint(seed=1, faults="ok,403") as url:
        result = run("scrape", url, "--count", "9")
    assert "1 of 9 captchas are in dataset 'captcha'" in one_line_of_error(result, 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["example.org/captcha"], "not a whole URL"),
        (["http://me:pw@127.0.0.1/"], "carries a user name or password"),
        (["--count", "0"], "--count 0"),
        (["--rate", "-1"], "--rate -1"),
        (["--contact", "nobody"], "--contact 'nobody'"),
        (["--dataset", "../up"], "'../up' can't name a dataset"),
        (["https://example.invalid/captcha"], "give --contact"),
        (["https://example.invalid/captcha", "--contact", "a@b.example"], "say it with --i-am-authorised"),
    ],
)
def test_wrong_arguments_exit_2_and_change_nothing(workspace: Path, arguments: list[str], said: str) -> None:
    assert said in one_line_of_error(run("scrape", *arguments), 2)
    assert list(workspace.iterdir()) == []


def test_a_damaged_catalog_is_named(workspace: Path) -> None:
    path = workspace / "datasets" / "captcha" / "catalog.sqlite"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a database" * 100)
    with running_endpoint(seed=1) as url:
        assert str(path) in one_line_of_error(run("scrape", url, "--count", "1"), 1)
    assert path.read_bytes() == b"not a database" * 100


def test_a_damaged_configuration_is_named(workspace: Path) -> None:
    (workspace / "captcha-lab.toml").write_text("source = [")
    assert "captcha-lab.toml can't be read as TOML" in one_line_of_error(run("scrape"), 1)


def test_an_alphabet_that_repeats_is_named(workspace: Path) -> None:
    (workspace / "captcha-lab.toml").write_text('alphabet = "AAB"')
    assert "repeats A" in one_line_of_error(run("scrape"), 1)
    assert "repeats A" in one_line_of_error(run("serve", "--alphabet", "AAB"), 2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--style", "gothic"], "choose one of classic, image"),
        (["--length", "99"], "--length 99"),
        (["--faults", "smoke"], "no fault 'smoke'"),
        (["--port", "-1"], "--port -1"),
    ],
)
def test_serve_refuses_what_it_cannot_do(arguments: list[str], said: str) -> None:
    assert said in one_line_of_error(run("serve", *arguments), 2)


def test_serve_serves_until_interrupted() -> None:
    command = [sys.executable, "-c", "from captcha_lab.cli import main; main()"]
    options = ["serve", "--port", "0", "--seed", "1", "--style", "image", "--with-answers", "--json"]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            url = json.loads(present(server.stdout).readline())["url"]
            reply = requests.get(url, timeout=10)  # right away: the URL is told when connections are taken
            assert reply.headers["Content-Type"] == "image/png"
            assert len(reply.headers[ANSWER_HEADER]) == 4
            server.send_signal(signal.SIGINT)
            assert server.wait(timeout=20) == 0
            assert present(server.stderr).read() == ""
        finally:
            server.kill()
