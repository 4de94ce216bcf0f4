"""Page, terminal and command on the real engine, over drawn captchas."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from captcha_lab.label.questions.types import QUEUE_NAMES
from captcha_lab.label.web.config import ReviewConfig
from captcha_lab.label.web.desk import Desk
from captcha_lab.label.web.server import running_review
from captcha_lab.pipeline.labels import label_in_terminal, open_labelling
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog
from captcha_lab.store.workspace import DatasetFolder, Workspace
from tests.label import page_data
from tests.label.page_client import Client

Reviewed = tuple[Client, list[str], DatasetFolder]


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reviewed]:
    """A client of a page whose engine is ready, the texts and the folder."""
    root = tmp_path_factory.mktemp("engine")
    folder, texts = page_data.make_dataset(root, captchas=40)
    desk = Desk(folder, *open_labelling(Workspace.find(root), folder))
    with running_review(desk, ReviewConfig(port=0, browser=False)) as url:
        client = Client(url).enter()
        for _ in range(600):
            work = client.state()["work"]
            assert work["problem"] == ""
            if work["ready"]:
                break
            threading.Event().wait(0.05)
        yield client, texts, folder


def test_shapes_label_whole_clusters_and_everything_follows(reviewed: Reviewed) -> None:
    client, texts, _ = reviewed
    state = client.state("seed")
    assert [queue["name"] for queue in state["queues"]] == list(QUEUE_NAMES)
    assert state["method"].startswith("Glyphs are asked")
    assert state["panel"]["estimate"]["source"] == "none"
    assert state["panel"]["audit"]["value"] is None  # not a number is null on the way to the page
    keys = 0
    while state["questions"] and keys < 6:
        asked = state["questions"][0]
        first = asked["members"][0]
        value = texts[first["image_id"] - 1][first["position"]]
        status, reply = client.say(asked, state["revision"], value=value)
        assert (status, reply["labels"]) == (200, len(asked["members"]) + asked["more"])
        keys += 1
        state = client.state("seed")
        assert asked["id"] not in [other["id"] for other in state["questions"]]
    panel = state["panel"]
    assert panel["keystrokes"] == keys
    assert panel["labelled"] > keys
    assert panel["estimate"]["source"] == "model"
    for queue in QUEUE_NAMES:
        for asked in client.state(queue)["questions"]:
            assert asked["queue"] == queue
            assert asked["members"]


def test_best_next_mixes_queues_by_worth_and_asks_nothing_twice(reviewed: Reviewed) -> None:
    client, _, _ = reviewed
    for _ in range(200):  # proposals do not change while nothing is learned
        if client.state()["work"]["phase"] == "":
            break
        threading.Event().wait(0.02)
    questions = client.state("best", count=20)["questions"]
    worth = [asked["worth"] for asked in questions]
    assert worth == sorted(worth, reverse=True)
    targets = [(m["image_id"], m["position"]) for asked in questions for m in asked["members"]]
    assert len(targets) == len(set(targets))
    heads = {
        queue: client.state(queue)["questions"][:1] for queue in ("seed", "uncertain", "grid", "captcha")
    }
    assert worth[0] >= max(found[0]["worth"] for found in heads.values() if found)


def test_what_is_more_likely_wrong_than_right_is_not_offered(reviewed: Reviewed) -> None:
    client, _, _ = reviewed
    for queue in ("seed", "uncertain", "captcha"):
        for asked in client.state(queue, count=50)["questions"]:
            sure = asked["members"][0]["confidence"]
            assert (asked["proposal"] is not None) == (sure >= 0.5)


def test_the_audit_is_blind_and_counts(reviewed: Reviewed) -> None:
    client, _, folder = reviewed
    state = client.state("audit")
    for asked in state["questions"]:
        assert asked["proposal"] is None
        assert all((m["label"], m["source"], m["proposal"]) == (None, None, None) for m in asked["members"])
    before = state["panel"]["audit"]["trials"]
    member = state["questions"][0]["members"][0]
    with Catalog(folder.catalog_path) as catalog:
        label = LabelLog(catalog).current()[member["image_id"], member["position"]].value
    assert client.say(state["questions"][0], state["revision"], value=label)[0] == 200
    audit = client.state("audit")["panel"]["audit"]
    assert (audit["trials"], audit["value"]) == (before + 1, 1.0)
    assert audit["low"] < 1.0


def test_an_undo_brings_the_question_back(reviewed: Reviewed) -> None:
    client, _, _ = reviewed
    state = client.state("captcha")
    asked = state["questions"][0]
    status, reply = client.say(asked, state["revision"], value="AAAA")
    assert status == 200
    status, undone = client.post("undo", token="undo-1", session="s", keystrokes=1, revision=reply["act"])
    assert (status, undone["undone"]["act"]) == (200, reply["act"])
    again = client.state(asked["queue"])
    assert again["revision"] == undone["act"]
    assert asked["id"] in [other["id"] for other in again["questions"]]


def test_a_character_joins_the_alphabet_and_case_may_matter(reviewed: Reviewed) -> None:
    client, _, folder = reviewed
    assert client.post("alphabet", character="1")[1]["alphabet"].endswith("1")
    state = client.state("uncertain")
    asked = state["questions"][0] if state["questions"] else client.state("seed")["questions"][0]
    status, reply = client.say(asked, state["revision"], value="1")
    assert status == 200, reply
    client.post("undo", token="undo-7", session="s", keystrokes=1, revision=reply["act"])
    assert client.post("alphabet", character=" ")[0] == 400
    assert client.post("case", folded=False)[1] == {"folded": False}
    state = client.state("captcha")
    assert not state["folded"]
    status, reply = client.say(state["questions"][0], state["revision"], value="aBcd")
    assert status == 200
    with Catalog(folder.catalog_path) as catalog:
        assert "aBcd" in LabelLog(catalog).texts().values()
    client.post("undo", token="undo-8", session="s", keystrokes=1, revision=reply["act"])
    client.post("case", folded=True)


def test_training_on_a_key_is_done_behind_the_page(reviewed: Reviewed) -> None:
    client, _, _ = reviewed
    assert client.post("retrain")[1] == {"started": True}
    for _ in range(100):
        if client.state()["work"]["phase"] == "":
            break
        threading.Event().wait(0.02)
    assert client.state()["work"]["problem"] == ""


def test_the_terminal_asks_the_same_queues(tmp_path: Path) -> None:
    folder, _ = page_data.make_dataset(tmp_path, captchas=12)

    said: list[str] = []
    out = io.StringIO()
    workspace = Workspace.find(tmp_path)
    report = label_in_terminal(
        workspace, folder, "seed", io.StringIO("A\n<\nB\n/queue captcha\nABCD\n"), out, said.append
    )
    assert said[0].startswith("Segmented 12 captchas into 48 glyphs")
    assert (report.acts, report.undone, report.queue) == (3, 1, "captcha")
    with Catalog(folder.catalog_path) as catalog:
        assert "ABCD" in LabelLog(catalog).texts().values()
    assert "look" in out.getvalue()


def test_the_simulated_labeller_reads_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from captcha_lab.cli import app
    from captcha_lab.store.blobs import BlobStore

    folder, texts = page_data.make_dataset(tmp_path / "source", captchas=25)
    truth = tmp_path / "truth"
    truth.mkdir()
    with Catalog(folder.catalog_path) as catalog:
        for row, text in zip(catalog.images(), texts, strict=True):
            (truth / f"{text}_{row.id}.png").write_bytes(
                BlobStore(folder.blobs).get(row.sha256, row.extension)
            )
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["label", "--simulate", str(truth), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.strip().splitlines()[-1])
    assert (found["captchas"], found["labels"], found["left_out"], found["unit"]) == (25, 100, 0, "glyph")
    keys = [point["keystrokes"] for point in found["points"]]
    assert keys == sorted(keys)
    assert found["points"][-1]["accuracy"] > 0.9
    assert found["points"][-1]["keystrokes"] < 100
    assert not (tmp_path / "datasets").exists()
    mistyped = CliRunner().invoke(app, ["label", "--simulate", str(truth), "--error-rate", "0.5", "--json"])
    assert json.loads(mistyped.stdout.strip().splitlines()[-1])["points"][-1]["accuracy"] < 0.9
    wrong = CliRunner().invoke(app, ["label", "--simulate", str(truth), "--error-rate", "1"])
    assert wrong.exit_code == 2
    assert "--error-rate is 1.0" in wrong.output


def test_texts_of_several_lengths_are_simulated_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each captcha is typed, for lack of a reader; the command says that its questions were whole captchas, and why."""
    from typer.testing import CliRunner

    from captcha_lab.cli import app
    from captcha_lab.pipeline import proposing
    from captcha_lab.store.images import encode

    truth = tmp_path / "truth"
    truth.mkdir()
    random = np.random.default_rng(0)
    for text in ("AB", "BADE", "CABFE", "DAFBEC", "EACFD", "FA"):
        picture = random.integers(0, 256, (20, 80), dtype=np.uint8)
        (truth / f"{text}.png").write_bytes(encode(picture))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(proposing, "text_proposer", lambda pixels, starts=None: None)
    result = CliRunner().invoke(app, ["label", "--simulate", str(truth), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.strip().splitlines()[-1])
    assert (found["unit"], found["captchas"], found["labels"]) == ("captcha", 6, 6)
    assert "texts have 2 to 6 characters" in found["why"]
    assert found["points"][-1]["keystrokes"] == 2 + 4 + 5 + 6 + 5 + 2 + 6
    assert found["points"][-1]["accuracy"] == 1.0
