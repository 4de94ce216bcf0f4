"""What `--json` prints is what captcha_lab/cli/README.md says, command by command."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import captcha_lab
from captcha_lab.cli import COMMANDS
from tests.cli.conftest import Cli

PAGE = (Path(captcha_lab.__file__).parent / "cli" / "README.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL))
ROW = r"^\| `([^`]+)` \| ([a-z]+\??) \|"
KEYS = {
    name: dict(re.findall(ROW, text.split("| key, sometimes |")[0], flags=re.MULTILINE))
    for name, text in SECTIONS.items()
}
SOMETIMES = {
    name: dict(re.findall(ROW, text.partition("| key, sometimes |")[2], flags=re.MULTILINE))
    for name, text in SECTIONS.items()
}
ONE_EACH = [
    ["status"],
    ["runs"],
    ["use", "first"],
    ["config"],
    ["scrape", "--count", "3", "--dataset", "other"],
    ["import", "PICTURES", "--dataset", "again"],
    ["prepare", "mnist", "--size", "8"],
    ["segment"],
    ["label"],
    ["drop"],
    ["train", "--reader", "glyph", "--epochs", "1"],
    ["read", "PICTURES"],
    ["train-gen", "--recipe", "draft", "--iterations", "2", "--batch-size", "8", "--name", "gan"],
    ["explain", "distances"],
    ["export", "out", "--format", "csv"],
    ["rm", "first", "--yes"],
    ["backup", "kept.zip"],
    ["check"],
    ["clean", "--dry-run"],
]


def kind(value: Any) -> str:
    """The page's word for a JSON value."""
    if value is None:
        return "null"
    names = {bool: "bool", int: "number", float: "number", str: "text", list: "list", dict: "object"}
    return names[type(value)]


def compare(found: dict[str, Any], documented: dict[str, str]) -> None:
    nested = {key.split("[].")[0] for key in documented if "[]." in key}
    assert set(found) == {key for key in documented if "[]." not in key} | nested
    for key, wanted in documented.items():
        if "[]." in key:
            outer, inner = key.split("[].")
            assert found[outer], f"{outer} is empty: nothing was compared"
            values = [entry[inner] for entry in found[outer]]
            assert {f"{outer}[].{name}" for name in found[outer][0]} <= set(documented)
        else:
            values = [found[key]]
        for value in values:
            assert kind(value) == wanted.rstrip("?") or (value is None and wanted.endswith("?")), (key, value)


def test_every_command_is_on_the_page_and_no_other() -> None:
    assert set(SECTIONS) == set(COMMANDS)


@pytest.mark.parametrize("arguments", ONE_EACH, ids=lambda arguments: arguments[0])
def test_the_page_says_what_is_printed(
    arguments: list[str], workspace: Path, captcha_files: Path, cli: Cli
) -> None:
    given = [str(captcha_files) if word == "PICTURES" else word for word in arguments]
    done = cli(workspace, *given, "--json")
    assert done.exit_code == 0, done.output
    compare(json.loads(done.stdout), KEYS[arguments[0]])


def test_drawing(workspace: Path, cli: Cli) -> None:
    made = ("train-gen", "--recipe", "draft", "--iterations", "2", "--batch-size", "8", "--name", "gan")
    assert cli(workspace, *made).exit_code == 0
    compare(json.loads(cli(workspace, "generate", "--count", "2", "--json").stdout), KEYS["generate"])


def test_bringing_back(workspace: Path, cli: Cli) -> None:
    assert cli(workspace, "backup", "kept.zip").exit_code == 0
    done = cli(workspace, "restore", "kept.zip", "--dataset", "back", "--json")
    compare(json.loads(done.stdout), KEYS["restore"])


def test_serving(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "captcha_lab", "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            compare(json.loads(server.stdout.readline()), KEYS["serve"])
        finally:
            server.terminate()


def test_reports_have_the_keys_that_the_page_names() -> None:
    from captcha_lab.evaluate.audit.result import Audit
    from captcha_lab.evaluate.report.report import Report, report_json
    from captcha_lab.pipeline.demo import DemoReport

    named = set(re.findall(r"`(\w+)`", SECTIONS["demo"]))
    assert named == {entry.name for entry in fields(DemoReport)}
    assert {key.split("[")[0] for key in KEYS["audit"]} == {entry.name for entry in fields(Audit)}
    bare = report_json(Report("verdict", None, None, "captcha", "captcha-lab eval", []))
    compare(bare | {"report_json": "", "report_html": ""}, KEYS["eval"])


def test_errors(tmp_path: Path, cli: Cli) -> None:
    documented = dict(re.findall(ROW, PAGE.split("\n## ")[0], flags=re.MULTILINE))
    for arguments in (["segment"], ["read"], ["nosuch"], ["label", "--auto"]):
        done = cli(tmp_path, *arguments, "--json")
        assert done.exit_code in (1, 2)
        compare(json.loads(done.stdout), documented)
