"""A small dataset of drawn captchas, and an engine that knows their texts: deterministic and without training."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from captcha_lab.alphabet import Alphabet
from captcha_lab.datasets.cutting import segment_dataset
from captcha_lab.errors import UsageError
from captcha_lab.label.questions.meaning import marks_of
from captcha_lab.label.questions.mixed import MixedEngine
from captcha_lab.label.questions.protocol import Progress, Readings
from captcha_lab.label.questions.texts.opening import open_texts
from captcha_lab.label.questions.types import (
    Answer,
    CharacterCount,
    Confusion,
    CurvePoint,
    Estimate,
    LabelPanel,
    Member,
    Outcome,
    Question,
    Queue,
    QueueName,
    Target,
)
from captcha_lab.label.web.desk import Desk
from captcha_lab.label.worker import WorkStep
from captcha_lab.recognise.contract import Reading
from captcha_lab.segment import Segmenter
from captcha_lab.store.blobs import BlobStore
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelEvent, LabelLog
from captcha_lab.store.images import encode
from captcha_lab.store.workspace import DatasetFolder

Place = tuple[int, int]
CHARACTERS = "ABCDEFGH234"
LENGTH = 4
NAMES: tuple[QueueName, ...] = ("seed", "uncertain", "grid", "suspects", "audit")


def make_dataset(
    root: Path, captchas: int = 30, characters: str = CHARACTERS
) -> tuple[DatasetFolder, list[str]]:
    """A dataset of `captchas` distinct pictures (80x20) and their texts, in the order of their ids."""
    import cv2

    folder = DatasetFolder(root / "datasets" / "captcha")
    blobs = BlobStore(folder.blobs)
    rng = np.random.default_rng(5)
    texts = ["".join(rng.choice(list(characters), LENGTH)) for _ in range(captchas)]
    with Catalog(folder.catalog_path) as catalog, catalog.transaction():
        catalog.set_meta("alphabet", characters)
        for number, text in enumerate(texts):
            image = np.full((20, 80, 3), 255, np.uint8)
            for k, character in enumerate(text):
                ink = tuple(int(v) for v in rng.integers(0, 90, 3))
                cv2.putText(
                    image, character, (20 * k + 4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, ink, 1, cv2.LINE_AA
                )
            image[0, 0] = number % 256, 240, 240
            data = encode(image)
            catalog.add_image(blobs.put(data, "png"), "png", 80, 20, len(data))
    return folder, texts


class KnowingEngine:
    """Clusters and proposals from the texts; everything else as the page needs it."""

    def __init__(
        self, folder: DatasetFolder, texts: list[str], wrong: frozenset[Place] = frozenset()
    ) -> None:
        self.log = LabelLog(Catalog(folder.catalog_path, create=False))
        self.texts = {k + 1: text for k, text in enumerate(texts)}
        self.wrong = wrong  # places whose proposal is wrong
        self.trainings = 0
        self.aside: frozenset[int] = frozenset()
        self._lock = threading.Lock()

    def guess(self, place: tuple[int, int]) -> str:
        """The proposal for a place."""
        right = self.texts[place[0]][place[1]]
        return "2" if place in self.wrong and right != "2" else right

    def _member(self, place: tuple[int, int], *, blind: bool = False) -> Member:
        label = self.log.current().get(place)
        return Member(
            place[0] * LENGTH + place[1],
            *place,
            label=None if blind or label is None else label.value,
            source=None if blind or label is None else label.source,
            proposal=None if blind else self.guess(place),
            confidence=0.0 if blind else (0.35 if place in self.wrong else 0.93),
        )

    def _open(self) -> list[tuple[int, int]]:
        done = self.log.current()
        places = [(k, p) for k in self.texts if k not in self.aside for p in range(LENGTH)]
        return [place for place in places if place not in done]

    def _groups(self) -> dict[str, list[tuple[int, int]]]:
        groups: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for place in self._open():
            groups[self.guess(place)].append(place)
        return dict(sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0])))

    def questions(self, queue: str, count: int = 1, exclude: Collection[str] = frozenset()) -> list[Question]:
        """The next questions of a queue."""
        with self._lock:
            made = getattr(self, f"_{queue}")(self.log.revision)
            return [question for question in made if question.id not in exclude][:count]

    def _seed(self, revision: int) -> list[Question]:
        return [
            Question(
                f"seed-{places[0]}",
                "seed",
                "cluster",
                tuple(self._member(p, blind=True) for p in places),
                None,
                float(len(places)),
                revision,
                "the largest group without a label",
            )
            for places in self._groups().values()
        ]

    def _uncertain(self, revision: int) -> list[Question]:
        places = sorted(self._open(), key=lambda p: p not in self.wrong)
        return [
            Question(
                f"uncertain-{p}",
                "uncertain",
                "glyph",
                (self._member(p),),
                self.guess(p),
                1.0,
                revision,
                "least sure",
            )
            for p in places
        ]

    def _grid(self, revision: int) -> list[Question]:
        made = []
        for value, places in self._groups().items():
            tiles = tuple(self._member(p) for p in sorted(places, key=lambda p: p not in self.wrong))
            made.append(
                Question(
                    f"grid-{value}", "grid", "page", tiles, value, float(len(tiles)), revision, "one class"
                )
            )
        return made

    def _suspects(self, revision: int) -> list[Question]:
        current = self.log.current()
        places = [p for p, label in current.items() if label.value != self.texts[p[0]][p[1]]]
        return [
            Question(
                f"suspects-{p}",
                "suspects",
                "glyph",
                (self._member(p),),
                self.texts[p[0]][p[1]],
                0.9,
                revision,
                "disputed",
            )
            for p in places
        ]

    def _audit(self, revision: int) -> list[Question]:
        return [
            Question(
                f"audit-{p}",
                "audit",
                "glyph",
                (self._member(p, blind=True),),
                None,
                0.0,
                revision,
                "blind sample",
            )
            for p in self.log.current()
        ]

    def readings(self) -> Readings:
        """The proposals of whole captchas."""
        return {k: Reading("".join(self.guess((k, p)) for p in range(LENGTH)), 0.9) for k in self.texts}

    def queues(self) -> list[Queue]:
        """All five."""
        revision = self.log.revision
        found = []
        for name in NAMES:
            made = getattr(self, f"_{name}")(revision)
            found.append(Queue.named(name, len(made), made[0].worth if made else 0.0))
        return found

    def panel(self) -> LabelPanel:
        """Plain counts; the estimates are made up, which only the looks of the page depend on."""
        current = self.log.current()
        hand = sum(label.source == "human" for label in current.values())
        total = len(self.texts) * LENGTH
        return LabelPanel(
            self.log.revision,
            "glyph",
            total,
            len(current),
            hand,
            self.log.keystrokes(),
            Estimate(0.981, 0.968, 0.989, "model", 420),
            Estimate(0.99, 0.94, 0.998, "audit", 60),
            (CurvePoint(10, 0.7), CurvePoint(20, 0.9), CurvePoint(40, 0.97), CurvePoint(60, 0.981)),
            0.995,
            41,
            len(self._open()),
            0.983,
            (Confusion("B", "8", 3), Confusion("5", "S", 2)),
            (CharacterCount("A", 3, (1, 0)), CharacterCount("B", 0)),
            "seed",
            len(current) == total,
            "New shapes first: one key labels a whole group.",
            False,
        )

    def answer(self, answer: Answer) -> Outcome:
        """Save it: of a cluster all glyphs with the same guess follow."""

        def followers(target: Target) -> list[Target]:
            image_id, position = target
            if answer.question.kind != "cluster" or position is None:
                return []
            value = self.guess((image_id, position))
            return [place for place in self._open() if self.guess(place) == value and place != target]

        typed, spread = marks_of(answer, followers)
        if any(k not in self.texts or p not in range(LENGTH) for (k, p), _ in typed):
            raise UsageError("There is no such glyph; nothing was saved.")
        events = [LabelEvent(*target, value, "human") for target, value in typed]
        events += [LabelEvent(*target, value, "batch") for target, value in spread]
        act = self.log.record(
            answer.question.queue,
            events,
            session=answer.session,
            keystrokes=answer.keystrokes,
            token=answer.token,
            expected_revision=answer.expected_revision,
        )
        return Outcome(act, act, tuple((event.image_id, event.position) for event in events))

    def accept_rest(
        self,
        *,
        session: str = "",
        keystrokes: int = 1,
        token: str | None = None,
        expected_revision: int | None = None,
    ) -> Outcome | None:
        """Save all proposals."""
        known = None if token is None else self.log.act_named(token)
        events = [LabelEvent(*place, self.guess(place), "batch") for place in self._open()]
        if not events and known is None:
            return None
        act = self.log.record(
            "rest",
            events,
            session=session,
            keystrokes=keystrokes,
            token=token,
            expected_revision=expected_revision,
        )
        return Outcome(act, act, tuple((event.image_id, event.position) for event in events))

    def set_aside(self, image_ids: Collection[int]) -> None:
        """Leave captchas out."""
        self.aside = frozenset(image_ids)

    def use_alphabet(self, alphabet: Alphabet) -> None:
        """It knows the texts."""

    def retrain(self) -> None:
        """Count."""
        self.trainings += 1


def labelling(
    folder: DatasetFolder,
    texts: list[str],
    wrong: frozenset[Place] = frozenset(),
    make: Callable[[], KnowingEngine] | None = None,
) -> tuple[MixedEngine, list[WorkStep]]:
    """What asks about the drawn captchas, and its steps: cutting, and a `KnowingEngine` (or what `make` makes)."""
    engine = MixedEngine(open_texts(folder))

    def cut(progress: Progress) -> None:
        segment_dataset(folder, Segmenter(), progress, only_new=True)

    def compare(progress: Progress) -> None:
        engine.use_glyphs(make() if make else KnowingEngine(folder, texts, wrong))

    return engine, [WorkStep("cutting new captchas", cut), WorkStep("comparing shapes", compare)]


def desk(folder: DatasetFolder, texts: list[str], wrong: frozenset[Place] = frozenset()) -> Desk:
    """A desk on the drawn captchas."""
    return Desk(folder, *labelling(folder, texts, wrong))


class KnowingProposer:
    """Proposes the texts it knows, some of them with a wrong and doubtful character."""

    name, learns = "one who knows", True

    def __init__(self, texts: list[str], wrong: frozenset[int]) -> None:
        self.texts, self.wrong = texts, wrong

    def propose(self, images: Sequence[int], texts: Mapping[int, str], progress: Progress) -> Readings:
        """All texts, those of `wrong` with a 2 at the second place."""
        return {k: self._reading(k) for k in images}

    def read(self, images: Sequence[int], progress: Progress) -> Readings:
        """As `propose`."""
        return self.propose(images, {}, progress)

    def _reading(self, image_id: int) -> Reading:
        text, sure = self.texts[image_id - 1], 0.99 - image_id / 1000
        if image_id not in self.wrong:
            return Reading(text, sure, (0.99,) * len(text))
        return Reading(f"{text[0]}2{text[2:]}", 0.975, (0.99, 0.6, *(0.99,) * (len(text) - 2)))

    def cross_read(self, images: Sequence[int], texts: Mapping[int, str]) -> Readings:
        """The truth."""
        return {k: Reading(self.texts[k - 1], 0.99) for k in texts}


def text_desk(folder: DatasetFolder, texts: list[str], wrong: frozenset[int] = frozenset()) -> Desk:
    """A desk that asks about whole captchas only."""
    engine = MixedEngine(open_texts(folder))

    def read(progress: Progress) -> None:
        engine.texts.proposer = KnowingProposer(texts, wrong)
        engine.texts.retrain(progress)

    return Desk(folder, engine, [WorkStep("reading captchas", read)])
