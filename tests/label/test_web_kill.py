"""The server is killed at random moments while a client labels: nothing acknowledged is lost, nothing comes twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog
from tests.helpers import present
from tests.label import page_data
from tests.label.page_client import Client

COMMAND = [sys.executable, "-m", "captcha_lab", "label", "--review", "--no-browser", "--json", "--port"]


def start(root: Any, port: int = 0) -> tuple[subprocess.Popen[str], Client]:
    process = subprocess.Popen(
        [*COMMAND, str(port)], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    line = present(process.stdout).readline()
    assert line, "the server did not start"
    return process, Client(json.loads(line)["url"]).enter()


class Labeller:
    """Types as the page does: one act after the other, sent again under its token until it is acknowledged."""

    def __init__(self, captchas: int) -> None:
        self.acknowledged: dict[str, list[Any]] = {}
        self.places: list[list[int | None]] = [[k + 1, None] for k in range(captchas)]
        self.count = 0
        self.revision = 0
        self.current: tuple[str, list[Any]] | None = None

    def label_until(self, client: Client, stopped: threading.Event) -> None:
        """Label until the line breaks."""
        with suppress(OSError, HTTPException, ValueError):
            while not stopped.is_set():
                if self.current is None:
                    place = self.places[self.count % len(self.places)]
                    value = page_data.CHARACTERS[self.count % len(page_data.CHARACTERS)]
                    self.current = f"act-{self.count}", [*place, value]
                token, mark = self.current
                status, reply = client.act([mark], self.revision, token=token)
                assert status == 200, reply
                self.acknowledged[token] = [reply["act"], mark]
                self.revision = reply["act"]
                self.count += 1
                self.current = None


def kill_often(root: Any, folder: Any, times: int, captchas: int, seed: int) -> Labeller:
    rng = random.Random(seed)
    labeller = Labeller(captchas)
    for _ in range(times):
        process, client = start(root)
        stopped = threading.Event()
        thread = threading.Thread(target=labeller.label_until, args=(client, stopped))
        thread.start()
        time.sleep(rng.uniform(0.0, 0.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
        thread.join(10)
        present(process.stdout).close()
        check(folder, labeller)
    return labeller


def check(folder: Any, labeller: Labeller) -> None:
    """Every acknowledged act is in the catalog under its number, once; at most one more is."""
    with Catalog(folder.catalog_path, create=False) as catalog:
        assert catalog.execute("PRAGMA integrity_check").first()[0] == "ok"
        rows = catalog.execute(
            "SELECT a.id, a.token, e.image_id, e.position, e.value "
            "FROM label_act AS a JOIN label_event AS e ON e.act_id = a.id"
        ).rows
        found = {row["token"]: [row["id"], [row["image_id"], row["position"], row["value"]]] for row in rows}
        assert len(rows) == len(found) == len(LabelLog(catalog).acts())
    lost = {token for token, act in labeller.acknowledged.items() if found.get(token) != act}
    assert lost == set()
    assert len(found) - len(labeller.acknowledged) in (0, 1)  # saved, but killed before it could say so


def test_nothing_acknowledged_is_lost_when_the_server_is_killed(tmp_path: Path) -> None:
    folder, _ = page_data.make_dataset(tmp_path)
    labeller = kill_often(tmp_path, folder, times=4, captchas=30, seed=1)
    assert labeller.count > 0


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_in_two_hundred_kills(tmp_path: Path) -> None:
    folder, _ = page_data.make_dataset(tmp_path)
    labeller = kill_often(tmp_path, folder, times=200, captchas=30, seed=2)
    print(f"{labeller.count} acts acknowledged over 200 kills, 0 lost")
    assert labeller.count > 200


def test_an_interrupt_ends_the_server_cleanly(tmp_path: Path) -> None:
    page_data.make_dataset(tmp_path)
    process, client = start(tmp_path)
    assert client.act([[1, None, "A"]], 0)[0] == 200
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(15) == 0
    present(process.stdout).close()


def test_review_in_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run([*COMMAND, "0"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "captcha-lab scrape" in done.stdout  # --json: errors are JSON too
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_an_error_when_asked_for_and_replaced_when_not(tmp_path: Path) -> None:
    page_data.make_dataset(tmp_path)
    process, client = start(tmp_path)
    done = subprocess.run(
        [*COMMAND, str(client.port)], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "--port" in done.stdout
    process.send_signal(signal.SIGKILL)
    process.wait()
    present(process.stdout).close()
