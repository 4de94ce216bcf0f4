"""Scraping the built-in endpoint: speed beside a plain requests loop, and what each keeps when the site misbehaves."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from captcha_lab.cli.output import table
from captcha_lab.collect.scrape.config import ScrapeConfig
from captcha_lab.collect.scrape.pace import Clock
from captcha_lab.collect.scrape.scrape import scrape
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.images import decode
from captcha_lab.store.workspace import Workspace
from scripts.benchmarks._machine import facts

COUNT = 300
# One fault every few captchas; the same for both.
FAULTS = ",".join(
    f"ok*5,{fault}"
    for fault in ("reset", "html", "truncate", "500", "short", "429=2", "empty", "same", "same") * 5
)
_SERVE = (
    "import sys; from captcha_lab.collect.endpoint.server import serve;"
    "from captcha_lab.collect.endpoint.config import EndpointConfig;"
    "serve(EndpointConfig(port=0, seed=1, faults=sys.argv[1]), lambda url: print(url, flush=True))"
)


@contextmanager
def endpoint(faults: str = "") -> Iterator[str]:
    """The endpoint in a process of its own, so that its work is not counted."""
    with subprocess.Popen(
        [sys.executable, "-c", _SERVE, faults], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def plain_loop(url: str, folder: Path) -> int:
    """What people write: GET, write the body, try again on an exception. Returns the requests sent."""
    sent = 0
    with requests.Session() as session:
        for number in range(COUNT):
            while True:
                sent += 1
                try:
                    body = session.get(url, timeout=10).content
                except requests.RequestException:
                    continue
                (folder / f"{number}.jpg").write_bytes(body)
                break
    return sent


def ours(url: str, folder: Path) -> int:
    """The project's scraper; waits the site imposes are skipped, but counted as time by its clock."""
    skipped = [0.0]
    clock = Clock(
        lambda: time.monotonic() + skipped[0],
        lambda: time.time() + skipped[0],
        lambda seconds: skipped.__setitem__(0, skipped[0] + seconds),
    )
    result = scrape(Workspace(folder).dataset(), url, ScrapeConfig(count=COUNT), clock=clock)
    return result.total + result.refused + result.failed


def measure(name: str, work: Callable[[str, Path], int], faults: str) -> dict[str, Any]:
    """One row: speed in captchas a second, CPU milliseconds per captcha, and the files kept."""
    with tempfile.TemporaryDirectory() as scratch, endpoint(faults) as url:
        wall, cpu = time.perf_counter(), time.process_time()
        sent = work(url, Path(scratch))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        files = [path.read_bytes() for path in Path(scratch).rglob("*.jpg")]
    return {
        "scraper": name,
        "site": "misbehaves" if faults else "well",
        "requests": sent,
        "per_second": round(COUNT / wall, 1),
        "cpu_ms_each": round(1000 * cpu / COUNT, 2),
        "files": len(files),
        "unreadable": sum(not _readable(data) for data in files),
        "duplicates": len(files) - len(set(files)),
    }


def fsync_milliseconds(folder: Path) -> float:
    """What one durable write costs on this disk now: the scraper makes about seven for each captcha."""
    with (folder / "probe").open("wb") as probe:
        started = time.perf_counter()
        for _ in range(50):
            probe.write(bytes(1500))
            probe.flush()
            os.fsync(probe.fileno())
        return round(1000 * (time.perf_counter() - started) / 50, 2)


def _readable(data: bytes) -> bool:
    try:
        return decode(data).size > 0
    except CaptchaLabError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    as_json = parser.parse_args().json
    rows = [
        measure(name, work, faults)
        for faults in ("", FAULTS)
        for name, work in (("requests loop", plain_loop), ("captcha-lab", ours))
    ]
    with tempfile.TemporaryDirectory() as scratch:
        fsync = fsync_milliseconds(Path(scratch))
    if not as_json:
        print(
            table(
                list(rows[0]),
                [list(row.values()) for row in rows],
                f"{COUNT} captchas each; one fsync takes {fsync} ms here",
            )
        )
    result = {"benchmark": "scrape", "machine": facts(), "fsync_ms": fsync, "captchas": COUNT, "rows": rows}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
