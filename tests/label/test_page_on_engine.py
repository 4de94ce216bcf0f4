"""Page, terminal and command on the real engine, over drawn captchas."""

from __future__ import annotations

import io
import json
import threading

import pytest

from captcha_lab.label.questions.types import QUEUE_NAMES
from captcha_lab.label.web.config import ReviewConfig
from captcha_lab.label.web.desk import Desk
from captcha_lab.label.web.server import running_review
from captcha_lab.pipeline.labels import label_in_terminal, open_engine
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog
from captcha_lab.store.workspace import Workspace
from tests.label import page_data
from tests.label.page_client import Client


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory):
    """A client of a page whose engine is ready, and the texts."""
    folder, texts = page_data.make_dataset(tmp_path_factory.mktemp("engine"), captchas=40)
    with running_review(Desk(folder, open_engine), ReviewConfig(port=0, browser=False)) as url:
        client = Client(url).enter()
        for _ in range(600):
            work = client.state()["work"]
            assert work["problem"] == ""
            if work["ready"]:
                break
            threading.Event().wait(0.05)
        yield client, texts, folder


def act(client: Client, queue: str, typed: list, spread: list, revision: int) -> dict:
    status, reply = client.act(typed, revision, queue=queue, spread=spread)
    assert status == 200, reply
    return reply


def test_seeds_label_whole_clusters_and_everything_follows(reviewed):
    client, texts, _ = reviewed
    state = client.state("seed")
    assert [queue["name"] for queue in state["queues"]] == list(QUEUE_NAMES)
    assert state["panel"]["estimate"]["source"] == "none"
    assert state["panel"]["audit"]["value"] is None  # not a number is null on the way to the page
    keys = 0
    while state["items"] and keys < 6:
        item = state["items"][0]
        first, *rest = item["members"]
        value = texts[first["image_id"] - 1][first["position"]]
        act(client, "seed", [[first["image_id"], first["position"], value]],
            [[m["image_id"], m["position"], value] for m in rest], state["revision"])  # fmt: skip
        keys += 1
        state = client.state("seed")
        assert item["id"] not in [other["id"] for other in state["items"]]
    panel = state["panel"]
    assert panel["keystrokes"] == keys
    assert panel["labelled"] > keys
    assert panel["estimate"]["source"] == "model"
    for queue in QUEUE_NAMES:
        for item in client.state(queue)["items"]:
            assert item["queue"] == queue
            assert item["members"]


def test_the_audit_is_blind_and_counts(reviewed):
    client, _, folder = reviewed
    state = client.state("audit")
    for item in state["items"]:
        assert item["proposal"] is None
        assert all((m["label"], m["source"], m["proposal"]) == (None, None, None) for m in item["members"])
    before = state["panel"]["audit"]["trials"]
    member = state["items"][0]["members"][0]
    with Catalog(folder.catalog_path) as catalog:
        label = LabelLog(catalog).current()[member["image_id"], member["position"]].value
    act(client, "audit", [[member["image_id"], member["position"], label]], [], state["revision"])
    audit = client.state("audit")["panel"]["audit"]
    assert (audit["trials"], audit["value"]) == (before + 1, 1.0)
    assert audit["low"] < 1.0


def test_an_undo_brings_the_question_back(reviewed):
    client, _, _ = reviewed
    state = client.state("uncertain")
    item = state["items"][0] if state["items"] else client.state("captcha")["items"][0]
    typed = [[m["image_id"], m["position"], "A"] for m in item["members"]]
    reply = act(client, item["queue"], typed, [], state["revision"])
    status, undone = client.post("undo", token="undo-1", session="s", keystrokes=1, revision=reply["act"])
    assert (status, undone["undone"]["act"]) == (200, reply["act"])
    again = client.state(item["queue"])
    assert again["revision"] == undone["act"]
    assert item["id"] in [other["id"] for other in again["items"]]


def test_training_on_a_key_is_done_behind_the_page(reviewed):
    client, _, _ = reviewed
    assert client.post("retrain")[1] == {"started": True}
    for _ in range(100):
        if client.state()["work"]["phase"] == "":
            break
        threading.Event().wait(0.02)
    assert client.state()["work"]["problem"] == ""


def test_the_terminal_asks_the_same_queues(tmp_path):
    folder, _ = page_data.make_dataset(tmp_path, captchas=12)

    said: list[str] = []
    out = io.StringIO()
    workspace = Workspace.find(tmp_path)
    report = label_in_terminal(
        workspace, folder, "seed", io.StringIO("A\n<\nB\n/queue captcha\nABCD\n"), out, said.append
    )
    assert said[0] == "Segmented 12 new captchas into 48 glyphs."
    assert (report.acts, report.undone, report.queue) == (3, 1, "captcha")
    with Catalog(folder.catalog_path) as catalog:
        assert "ABCD" in LabelLog(catalog).texts().values()
    assert "look" in out.getvalue()


def test_the_simulated_labeller_reads_a_folder(tmp_path, monkeypatch):
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
    assert (found["captchas"], found["glyphs"], found["left_out"]) == (25, 100, 0)
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
