"""`kill -9` at random moments of a scrape: nothing acknowledged is lost, nothing half is taken for whole."""

import hashlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from captcha_lab.collect.endpoint.server import running_endpoint
from captcha_lab.store.blobs import BlobStore
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.images import decode
from captcha_lab.store.workspace import DatasetFolder, Workspace
from tests.helpers import present

# Acknowledges each captcha on its standard output, as the progress bar does for a person.
_SCRAPE = """
import sys
from pathlib import Path
from captcha_lab.collect.scrape.scrape import scrape
from captcha_lab.collect.scrape.config import ScrapeConfig
from captcha_lab.store.workspace import Workspace
scrape(Workspace(Path(sys.argv[1])).dataset(), sys.argv[2], ScrapeConfig(count=int(sys.argv[3])),
       on_progress=lambda done, total: print(done, flush=True))
"""


def start(root: Path, url: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _SCRAPE, str(root), url, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill_midway(root: Path, url: str, rng: random.Random) -> int:
    """Start a scrape, kill it at a random moment, and return how many captchas it had acknowledged."""
    with start(root, url, 1_000_000) as process:
        acknowledged = 0
        try:
            for _ in range(rng.randint(1, 12)):
                acknowledged = int(present(process.stdout).readline())
            time.sleep(rng.uniform(0, 0.04))  # somewhere within the next captcha or two
        finally:
            process.send_signal(signal.SIGKILL)
        for line in present(process.stdout):  # what it still said before it died counts as said
            if line.endswith("\n"):
                acknowledged = int(line)
        assert process.wait() == -signal.SIGKILL
    return acknowledged


def received(folder: DatasetFolder) -> int:
    """Captchas the catalog says were received, after checking everything it says against the disk."""
    blobs = BlobStore(folder.blobs)
    with Catalog(folder.catalog_path) as catalog:
        assert catalog.execute("PRAGMA integrity_check").first()[0] == "ok"
        assert catalog.execute("PRAGMA foreign_key_check").rows == []
        images, fetches = catalog.images(), catalog.fetches()
    for image in images:
        data = blobs.get(image.sha256, image.extension)  # checks the hash
        assert decode(data).shape[:2] == (image.height, image.width)
    for path in folder.blobs.rglob("*"):
        # A killed writer may leave a hidden temporary file or a whole blob without a row, never a half blob.
        if path.is_file() and not path.name.startswith(".tmp-"):
            assert path.stem == hashlib.sha256(path.read_bytes()).hexdigest()
    kept = [fetch.image_id for fetch in fetches if fetch.outcome in ("stored", "duplicate")]
    assert set(kept) == {image.id for image in images}
    return len(kept)


def survive(root: Path, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    folder = Workspace(root).dataset()
    with running_endpoint(seed=1) as url:
        before = 0
        for _ in range(kills):
            acknowledged = kill_midway(root, url, rng)
            now = received(folder)
            # One captcha may be stored whose acknowledgement was not said any more.
            assert before <= acknowledged <= now
            before = now
        with start(root, url, before + 5) as process:
            assert process.wait() == 0
        assert received(folder) == before + 5


def test_a_few_kills(tmp_path: Path) -> None:
    survive(tmp_path, kills=4, seed=0)


@pytest.mark.slow
def test_thirty_kills(tmp_path: Path) -> None:
    survive(tmp_path, kills=30, seed=1)
