"""`captcha-lab read` before anything was trained."""

from pathlib import Path

import numpy as np
from PIL import Image

from tests.cli.conftest import Cli
from tests.recognise.captchas import draw_text


def test_the_base_reader_reads_where_none_was_trained(cli: Cli, tmp_path: Path) -> None:
    for k, text in enumerate(("2784", "5839")):
        Image.fromarray(draw_text(text, np.random.default_rng(k))).save(tmp_path / f"{k}.png")
    done = cli(tmp_path, "read", "0.png", "1.png")
    assert done.exit_code == 0
    assert "base reader" in done.stderr
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["0.png", "1.png"]
    named = cli(tmp_path, "read", "0.png", "--model", "base-reader", "--json")
    assert '"model": "base-reader"' in named.stdout
