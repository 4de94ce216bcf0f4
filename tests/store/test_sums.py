"""Weights, checkpoints, runs and catalogs: damage is said, two at once wait or are told."""

import json
import random
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.catalog import catalog as catalog_module
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.runs import (
    Run,
    all_runs,
    check_new,
    load_resume,
    load_weights,
    save_resume,
    save_weights,
)


def tensors() -> dict[str, torch.Tensor]:
    return {"a": torch.arange(300.0), "b": torch.arange(12).reshape(3, 4), "c": torch.ones(())}


FACTS = {"architecture": "net", "classes": ["A", "B"], "size": 20}


def flipped(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


def test_a_flipped_bit_in_weights_is_always_said(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(path, tensors(), FACTS)
    whole, rng = path.read_bytes(), random.Random(0)
    said = 0
    for _ in range(300):
        path.write_bytes(flipped(whole, rng))
        try:
            loaded, facts = load_weights(path)
            assert (facts, same(loaded, tensors())) == (FACTS, True)  # a byte that means nothing
        except CaptchaLabError:
            said += 1
    assert said > 290


def test_weights_without_a_checksum_are_still_read(tmp_path: Path) -> None:
    path = tmp_path / "old.safetensors"
    save_file(tensors(), path, metadata={key: json.dumps(value) for key, value in FACTS.items()})
    loaded, facts = load_weights(path)
    assert same(loaded, tensors())
    assert facts == FACTS


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_numbers_are_refused(value: float, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(path, {"a": torch.tensor([1.0, value])}, FACTS)
    with pytest.raises(CaptchaLabError, match="a holds NaN or infinity"):
        load_weights(path)


def test_a_flipped_bit_in_a_checkpoint_is_said_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "run" / "resume.pt"
    state: dict[str, Any] = {"epoch": 3, "weights": tensors(), "name": "x" * 200}
    save_resume(path, state)
    whole, rng = path.read_bytes(), random.Random(0)
    said = 0
    for _ in range(200):
        path.write_bytes(flipped(whole, rng))
        try:
            loaded = load_resume(path)
            assert (loaded["epoch"], loaded["name"]) == (3, "x" * 200)
            assert same(loaded["weights"], tensors())
        except CaptchaLabError as error:
            said += "can't be read" in str(error)
    assert said > 60


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        "null",
        "[" * 100_000,
        '{"created": "soon", "kind": []}',
        '{"created": 1e999}',
        "\x00",
        '{"a": 1',
    ],
)
def test_one_damaged_run_does_not_hide_the_others(text: str, tmp_path: Path) -> None:
    good = Run.create(tmp_path, "recogniser", "good", {})
    good.log(step=1)
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "config.json").write_text(text)
    (bad / "metrics.jsonl").write_bytes(text.encode() + b'\n[1]\n"x"\n\xff\xfe\n{"step": 2}\n')
    assert "good" in [run.name for run in all_runs(tmp_path)]
    assert {"step": 2} in Run(bad).history()
    assert all(isinstance(line, dict) for line in Run(bad).history())
    Run(bad).cut_history("step", 1)


TRAIN = """
import sys, time
from pathlib import Path
from captcha_lab.store.runs import Run, load_resume, save_resume
run = Run.create(Path(sys.argv[1]), "recogniser", "x", {})
if len(sys.argv) > 2:
    save_resume(run.resume, {"epoch": 1})
print("training", flush=True)
time.sleep(60)
"""


def training(tmp_path: Path, *more: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", TRAIN, str(tmp_path), *more], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "training\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_run_is_trained_by_one_process_at_a_time(tmp_path: Path) -> None:
    process = training(tmp_path, "with a checkpoint")
    try:
        with pytest.raises(CaptchaLabError, match="Another process is training x"):
            load_resume(tmp_path / "x" / "resume.pt")
    finally:
        end(process)
    assert load_resume(tmp_path / "x" / "resume.pt") == {"epoch": 1}


def test_a_run_that_was_killed_at_once_is_dead_and_says_the_cure(tmp_path: Path) -> None:
    process = training(tmp_path)
    try:
        assert not Run(tmp_path / "x").is_dead
        with pytest.raises(CaptchaLabError, match="choose another --name"):
            check_new(tmp_path, "x")
    finally:
        end(process)
    assert Run(tmp_path / "x").is_dead
    with pytest.raises(CaptchaLabError, match="captcha-lab clean"):
        check_new(tmp_path, "x")


def test_a_flipped_byte_in_a_catalog_is_never_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    with Catalog(path) as catalog:
        for k in range(200):
            image, _ = catalog.add_image(f"{k:064d}", "png", 80, 20, 100)
            catalog.add_fetch(f"http://h/{k}", "stored", image_id=image, note="é" * 20)
        catalog.add_provenance("import", path="x")
    whole, rng = path.read_bytes(), random.Random(1)
    said = 0
    for _ in range(150):
        changed = bytearray(whole)
        for _ in range(3):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        path.write_bytes(changed)
        try:
            with Catalog(path, create=False) as catalog:
                list(catalog.images())
                list(catalog.fetches())
                catalog.provenance()
                catalog.check()
        except CaptchaLabError:
            said += 1
        path.with_name("catalog.sqlite-journal").unlink(missing_ok=True)
    assert said > 50


def test_after_an_unclean_end_the_catalog_is_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "catalog.sqlite"
    Catalog(path).close()
    seen: list[str] = []
    monkeypatch.setattr(Catalog, "check", lambda self, how="integrity_check": seen.append(how))
    Catalog(path).close()
    assert seen == []
    path.with_name("catalog.sqlite-journal").write_bytes(b"\0" * 512)  # what a killed program left
    Catalog(path).close()
    assert seen == ["quick_check"]


def test_a_catalog_that_is_in_use_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"

    def work(number: int) -> None:
        with Catalog(path) as catalog:
            for k in range(25):
                with catalog.transaction():
                    catalog.set_meta(f"{number} {k}", "x")
                assert catalog.get_meta(f"{number} {k}") == "x"
                for _ in catalog.execute("SELECT key FROM meta"):
                    pass

    Catalog(path).close()
    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Catalog(path) as catalog:
        assert catalog.execute("SELECT count(*) FROM meta").first()[0] >= 100


def test_who_waits_in_vain_for_a_catalog_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "catalog.sqlite"
    with Catalog(path) as catalog:
        monkeypatch.setattr(catalog_module, "PATIENCE", 0.1)
        catalog.execute("PRAGMA busy_timeout = 50")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CaptchaLabError, match="in use by another program") as told:
            catalog.set_meta("a", "b")
        assert "restore" not in str(told.value)
        assert "locked" not in str(told.value)
        other.rollback()
        other.close()
        catalog.set_meta("a", "b")
