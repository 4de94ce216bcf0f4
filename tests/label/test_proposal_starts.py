"""Which reader proposals for whole captchas start from: the one that reads this dataset's labelled captchas best."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from captcha_lab.errors import CaptchaLabError
from captcha_lab.pipeline import proposing
from captcha_lab.pipeline.proposing import Starts, starts_of
from captcha_lab.recognise.contract import Reading
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelEvent, LabelLog
from captcha_lab.store.runs import Run
from captcha_lab.store.workspace import Workspace

PICTURES = [np.full((4, 8), k, np.uint8) for k in range(40)]
TEXTS = [f"{k:02}" for k in range(40)]


class Reads:
    """Reads the number in a picture where it is below a limit, else nothing."""

    classes = tuple("0123456789")

    def __init__(self, limit: int, kind: str = "sequence") -> None:
        self.limit, self.kind = limit, kind

    def read(self, images: Iterable[Any]) -> list[Reading]:
        numbers = [int(image[0, 0]) for image in images]
        return [Reading(f"{k:02}" if k < self.limit else "", 0.9) for k in numbers]


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> tuple[Starts, list[str]]:
    """Runs that read 30 and 5 of the pictures beside a base reader that reads 20, and what is said."""
    limits = {"": 20, "good": 30, "poor": 5, "own": 40}

    def reader(self: Starts, name: str, pictures: Sequence[np.ndarray]) -> Reads:
        return Reads(limits[name], "glyph" if name == "own" else "sequence")

    monkeypatch.setattr(Starts, "_reader", reader)
    said: list[str] = []
    runs = {name: Path(name) for name in limits if name}
    return Starts(runs, frozenset({"own"}), said.append), said


def test_the_reader_that_reads_most_is_taken_and_named(starts: tuple[Starts, list[str]]) -> None:
    found, said = starts
    found.choose(PICTURES, TEXTS, ["good", "poor"])
    assert found.chosen == "good"
    assert said == [
        "Proposals come from good. Of 40 labelled captchas read right: the base reader 20, good 30, poor 5."
    ]
    found.choose(PICTURES, TEXTS, ["good", "poor"])
    assert len(said) == 1


def test_the_base_reader_stays_unless_another_reads_more(starts: tuple[Starts, list[str]]) -> None:
    found, said = starts
    found.choose(PICTURES[:20], TEXTS[:20], ["good", "poor"])  # the base reader reads them all, too
    found.choose(PICTURES[20:28], TEXTS[20:28], ["good"])  # too few to say
    assert (found.chosen, said) == ("", [])


def test_training_starts_from_the_reader_taken(
    starts: tuple[Starts, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    def trained(images: list[np.ndarray], texts: list[str], start: str, base: Any) -> Reads:
        started.append(start)
        return Reads(40)

    monkeypatch.setattr(proposing, "_trained", trained)
    found, _ = starts
    found.learned(PICTURES, ["", *TEXTS[1:30], *[""] * 10])
    assert started == ["good"]
    found.chosen = "own"  # which knows the labels, and is a reader of cells: nothing of it can be trained on
    found.learned(PICTURES, TEXTS)
    assert (found.chosen, started[1]) == ("own", "")


def test_runs_of_the_workspace_are_held_against_captchas_they_have_not_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path)
    folder = workspace.dataset("captcha")
    with Catalog(folder.catalog_path) as catalog:
        ids = [catalog.add_image(f"{k:064x}", "png", 8, 4, 9)[0] for k in range(40)]
        LabelLog(catalog).record(
            "import", [LabelEvent(k, None, TEXTS[n], "import") for n, k in enumerate(ids)]
        )
    for name, dataset in (("mine", "captcha"), ("other", "elsewhere"), ("broken", "third")):
        run = Run.create(workspace.models, "recogniser", name, {"dataset": dataset})
        run.weights.write_bytes(b"")
    judged: list[tuple[int, list[str]]] = []

    def load(path: Path) -> Reads:
        if path.name == "broken":
            raise CaptchaLabError("damaged")
        return Reads(40)

    def choose(
        self: Starts, pictures: Sequence[np.ndarray], texts: Sequence[str], names: Sequence[str]
    ) -> None:
        judged.append((len(texts), list(names)))

    monkeypatch.setattr("captcha_lab.recognise.registry.load_reader", load)
    monkeypatch.setattr(Starts, "choose", choose)
    found = starts_of(workspace, folder, lambda k: PICTURES[ids.index(k)])
    assert (set(found.runs), set(found.own)) == ({"mine", "other"}, {"mine"})
    ((count, names),) = judged
    assert names == ["mine", "other"]
    assert 0 < count < 20  # those of the validation and test split


def test_the_base_reader_learns_by_itself_where_it_is_the_one_taken(
    starts: tuple[Starts, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has learned is what a later training on labels starts from."""
    taught, bases = Reads(39), []

    def trained(images: list[np.ndarray], texts: list[str], start: str, base: Any) -> Reads:
        bases.append(base)
        return Reads(40)

    monkeypatch.setattr(proposing, "_trained", trained)
    monkeypatch.setattr("captcha_lab.recognise.sequence.adapt.self_taught", lambda reader, pictures: taught)
    found, _ = starts
    assert found.teach(PICTURES) is None  # too few captchas to learn from
    many = PICTURES * 4
    assert found.teach(many) is taught
    found.learned(PICTURES, [*TEXTS[:9], *[""] * 31])  # too few labels to prefer a reader of the workspace
    found.learned(PICTURES, [*TEXTS[:8], "0x", *[""] * 31])  # it has not learned this character
    assert bases == [taught, None]
    found.choose(PICTURES, TEXTS, ["good"])
    assert found.teach(many) is None
