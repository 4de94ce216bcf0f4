"""Care over time: check, clean, backup and restore, as a user would run them."""

import hashlib
import json
import os
import shutil
import sqlite3
import time
import zipfile
from pathlib import Path

import pytest

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.blobs import BlobStore
from captcha_lab.store.care.clean import leftovers, remove
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelEvent, LabelLog
from captcha_lab.store.workspace import Workspace
from tests.cli.conftest import Cli

DATA = Path("datasets/captcha")


def first_blob(workspace: Path) -> Path:
    return min((workspace / DATA / "blobs").glob("*/*"))


def test_a_sound_workspace_has_no_problems(cli: Cli, workspace: Path) -> None:
    done = cli(workspace, "check", "--json")
    report = json.loads(done.stdout)
    assert done.exit_code == 0, done.output
    assert (report["datasets"], report["pictures"], report["runs"]) == (
        1,
        60,
        len(list((workspace / "models").glob("*"))),
    )
    assert report["problems"] == report["orphans"] == []


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_every_kind_of_damage_is_one_line_that_names_it(cli: Cli, workspace: Path) -> None:
    blobs = sorted((workspace / DATA / "blobs").glob("*/*"))
    damage(blobs[0])
    blobs[1].unlink()
    damage(workspace / "models/first/weights.safetensors")
    (workspace / DATA / "packed.h5").write_bytes(b"no HDF5")
    orphan = blobs[2].with_name("0" * 64 + ".png")
    orphan.write_bytes(blobs[2].read_bytes())
    done = cli(workspace, "check", "--json")
    report = json.loads(done.stdout)
    assert done.exit_code == 1
    assert len(report["problems"]) == 4, report["problems"]
    said = "\n".join(report["problems"])
    for name in (blobs[0].name, blobs[1].name, "weights.safetensors", "packed.h5"):
        assert name in said
    assert report["orphans"] == [str(orphan)]
    assert "Traceback" not in done.output


def test_a_damaged_catalog_is_said(cli: Cli, workspace: Path) -> None:
    path = workspace / DATA / "catalog.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA foreign_keys = OFF")
        other.execute("UPDATE fetch SET image_id = 99999 WHERE id = 1")
    other.close()
    done = cli(workspace, "check")
    assert done.exit_code == 1
    assert "fetch names a missing image" in done.stderr


def test_clean_removes_what_is_left_over_and_nothing_else(cli: Cli, workspace: Path) -> None:
    def state() -> set[str]:
        return {str(path.relative_to(workspace)) for path in workspace.rglob("*") if path.is_file()}

    before = state()
    old = time.time() - 7200
    rest = [
        workspace / DATA / ".tmp-abcdefgh.h5",
        workspace / DATA / "blobs" / first_blob(workspace).parent.name / ".tmp-x_345678.png",
        workspace / "datasets" / ".tmp-export78" / "a.png",
        first_blob(workspace).with_name("1" * 64 + ".png"),
        workspace / DATA / ".packed.h5.partial",
        workspace / DATA / "review-xyz.html",
        workspace / "models" / "dead" / "config.json",
        workspace / "datasets" / ".origins" / "old.json",
        workspace / "datasets" / ".origins" / "old.lock",
    ]
    for path in rest:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"not_before": 1}')
        os.utime(path, (old, old))
    os.utime(rest[2].parent, (old, old))
    young = workspace / DATA / ".tmp-young678"
    young.write_text("a command is at work")
    assert cli(workspace, "clean").exit_code == 2  # nobody can be asked
    assert json.loads(cli(workspace, "clean", "--dry-run", "--json").stdout)["removed"] is False
    assert all(path.exists() for path in rest)
    done = cli(workspace, "clean", "--yes")
    assert done.exit_code == 0, done.output
    assert "9 leftovers removed" in done.stdout
    young.unlink()
    assert state() == before
    assert cli(workspace, "check").exit_code == 0


def test_a_backup_brings_everything_back(cli: Cli, workspace: Path) -> None:
    done = cli(workspace, "backup", "evening.zip")
    assert done.exit_code == 0, done.output
    assert cli(workspace, "backup", "evening.zip").exit_code == 1  # nothing is overwritten
    with Catalog(workspace / DATA / "catalog.sqlite") as catalog:
        texts, fetches = LabelLog(catalog).texts(), len(catalog.fetches())
    assert cli(workspace, "restore", "evening.zip").exit_code == 2  # the dataset is there
    shutil.rmtree(workspace / DATA)
    done = cli(workspace, "restore", "evening.zip")
    assert done.exit_code == 0, done.output
    with Catalog(workspace / DATA / "catalog.sqlite") as catalog:
        assert LabelLog(catalog).texts() == texts
        assert len(catalog.fetches()) == fetches
    assert cli(workspace, "check").exit_code == 0
    assert cli(workspace, "restore", "evening.zip", "--dataset", "again").exit_code == 0


def forged(source: Path, target: Path, name: str, data: bytes) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.namelist():
            new.writestr(entry, data if entry == name else old.read(entry))
        if name not in old.namelist():
            new.writestr(name, data)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("../../escaped.png", b"x"),
        ("blobs/00/" + "0" * 64 + ".png", b"not what the name says"),
        ("blobs/00/" + "0" * 64 + ".exe", b"x"),
        ("catalog.sqlite", b"SQLite format 3\0 and nothing"),
        ("backup.json", b"[1]"),
        ("backup.json", b"[" * 100_000),
    ],
)
def test_a_forged_backup_is_refused_whole(cli: Cli, workspace: Path, name: str, data: bytes) -> None:
    cli(workspace, "backup", "good.zip")
    forged(workspace / "good.zip", workspace / "bad.zip", name, data)
    done = cli(workspace, "restore", "bad.zip", "--dataset", "bad")
    assert done.exit_code == 1, done.output
    assert "can't be restored" in done.stderr or "picture" in done.stderr or "catalog" in done.stderr.lower()
    assert not (workspace / "datasets" / "bad").exists()
    assert not list(workspace.rglob("escaped*"))
    assert not list((workspace / "datasets").glob(".tmp-*"))


def test_a_backup_keeps_the_labels_of_a_damaged_picture(cli: Cli, workspace: Path) -> None:
    damage(first_blob(workspace))
    done = cli(workspace, "backup", "rest.zip")
    assert done.exit_code == 1
    assert "is damaged" in done.stderr
    done = cli(workspace, "restore", "rest.zip", "--dataset", "again", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["pictures"], len(report["missing"])) == (59, 1)
    with (
        Catalog(workspace / DATA / "catalog.sqlite") as old,
        Catalog(workspace / "datasets/again/catalog.sqlite") as new,
    ):
        assert LabelLog(new).texts() == LabelLog(old).texts()


STRANGE = [
    "CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM meta; END",
    "CREATE VIEW v AS SELECT 1",
    "ALTER TABLE image ADD COLUMN evil TEXT",
    "DROP VIEW current_text; CREATE VIEW current_text AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) "
    "SELECT x AS image_id, 'A' AS value, 'human' AS source, NULL AS confidence, 1 AS act_id FROM n",
    "DROP TRIGGER label_event_is_append_only",
]


@pytest.mark.parametrize("statements", STRANGE)
def test_a_catalog_with_tables_or_views_of_a_stranger_is_not_read(
    cli: Cli, workspace: Path, statements: str
) -> None:
    """A view that never ends, a trigger that deletes: what is not as captcha-lab makes it is refused when opened."""
    cli(workspace, "backup", "good.zip")
    path = workspace / DATA / "catalog.sqlite"
    with sqlite3.connect(path) as other:
        other.executescript(statements)
    other.close()
    done = cli(workspace, "check")
    assert done.exit_code == 1
    assert "not as captcha-lab makes it" in done.output
    data = path.read_bytes()
    with zipfile.ZipFile(workspace / "good.zip") as old:
        facts = json.loads(old.read("backup.json")) | {"catalog_sha256": hashlib.sha256(data).hexdigest()}
    forged(workspace / "good.zip", workspace / "half.zip", "catalog.sqlite", data)
    forged(workspace / "half.zip", workspace / "bad.zip", "backup.json", json.dumps(facts).encode())
    done = cli(workspace, "restore", "bad.zip", "--dataset", "bad")
    assert done.exit_code == 1
    assert "not as captcha-lab makes it" in done.output
    assert not (workspace / "datasets" / "bad").exists()


def test_a_forged_label_at_place_1_000_000_000_takes_no_memory(cli: Cli, workspace: Path) -> None:
    with sqlite3.connect(workspace / DATA / "catalog.sqlite") as other:
        other.execute("INSERT INTO label_act (at, kind, session, keystrokes) VALUES (0, 'captcha', '', 1)")
        other.execute(
            "INSERT INTO label_event (act_id, image_id, position, value, source) "
            "SELECT max(id), 1, 1000000000, 'A', 'human' FROM label_act"
        )
    other.close()
    for arguments in (["export", "out", "--format", "jsonl"], ["status"], ["check"]):
        done = cli(workspace, *arguments)
        assert "Traceback" not in done.output
    with (
        Catalog(workspace / DATA / "catalog.sqlite") as catalog,
        pytest.raises(CaptchaLabError, match="no place 1000000000"),
    ):
        LabelLog(catalog).record("captcha", [LabelEvent(1, 10**9, "A")])


def test_clean_leaves_what_a_person_named_so(cli: Cli, workspace: Path) -> None:
    own = workspace / ".tmp-notes of mine"
    own.write_text("mine")
    os.utime(own, (0, 0))
    orphan = workspace / DATA / "blobs" / "00" / ("0" * 64 + ".png")
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"x")
    os.utime(orphan, (0, 0))
    found = leftovers(Workspace(workspace))
    assert [item.path for item in found] == [orphan]
    orphan.touch()  # an import has just brought it
    remove(found)
    assert orphan.exists()


def test_a_damaged_backup_is_refused_whole(cli: Cli, workspace: Path) -> None:
    cli(workspace, "backup", "good.zip")
    damage(workspace / "good.zip")
    done = cli(workspace, "restore", "good.zip", "--dataset", "bad")
    assert done.exit_code == 1
    assert not (workspace / "datasets" / "bad").exists()
    (workspace / "no.zip").write_bytes(b"no zip")
    assert cli(workspace, "restore", "no.zip", "--dataset", "bad").exit_code == 1


def test_a_forged_extension_leads_nowhere(cli: Cli, workspace: Path) -> None:
    with sqlite3.connect(workspace / DATA / "catalog.sqlite") as other:
        other.execute("UPDATE image SET extension = '/../../../../../escaped.png' WHERE id = 1")
    other.close()
    for arguments in (["export", "out", "--format", "csv"], ["check"], ["backup", "b.zip"]):
        done = cli(workspace, *arguments)
        assert done.exit_code == 1, done.output
        assert "Traceback" not in done.output
    assert not list(workspace.parent.rglob("escaped*"))
    with pytest.raises(CaptchaLabError, match="which none is"):
        BlobStore(Workspace(workspace).dataset().blobs).path("../x", "png")


def test_after_killed_imports_clean_leaves_a_sound_workspace(cli: Cli, workspace: Path) -> None:
    blob = first_blob(workspace)
    with Catalog(workspace / DATA / "catalog.sqlite") as catalog:
        images = len(catalog.images())
    for k in range(20):  # pictures whose rows a kill kept from the catalog
        orphan = blob.with_name(f"{k:064d}.png")
        orphan.write_bytes(blob.read_bytes())
        os.utime(orphan, (0, 0))
    assert cli(workspace, "clean", "--yes").exit_code == 0
    report = json.loads(cli(workspace, "check", "--json").stdout)
    assert (report["pictures"], report["orphans"]) == (images, [])
