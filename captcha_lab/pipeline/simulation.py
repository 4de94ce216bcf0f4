"""`label --simulate`: how many keys a folder of labelled captchas would have cost."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captcha_lab.errors import CaptchaLabError
from captcha_lab.pipeline.common import Progress, silent
from captcha_lab.store.workspace import DatasetFolder, Workspace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from captcha_lab.label.proposals.lookalikes import LookAlikes
    from captcha_lab.label.simulate import Curve
    from captcha_lab.store.packed.packed import PackedSet

MILESTONES = (8, 16, 32, 48, 64, 96, 128, 192, 256)  # keystrokes of which the accuracy is printed
TARGETS = (0.95, 0.99, 0.995)  # accuracies whose keystrokes are printed


@dataclass(frozen=True)
class Simulation:
    """A simulated session on a folder: what was labelled, and the curve keystrokes → label accuracy."""

    truth: Path
    unit: str  # what the questions were about and the accuracy counts: glyph or captcha
    why: str  # they were about that, in one sentence
    captchas: int
    labels: int  # glyphs or captchas
    left_out: int  # captchas without a label, or with one of another length than the cut has cells
    error_rate: float
    curve: Curve

    def table(self) -> list[tuple[int, str, int]]:
        """Keystrokes, accuracy in percent and glyphs or captchas shown, at the milestones reached and at the end."""
        points = self.curve.points
        rows = [next((p for p in points if p.keystrokes >= keys), None) for keys in MILESTONES]
        chosen = {p.keystrokes: p for p in (*rows, points[-1] if points else None) if p is not None}
        return [(p.keystrokes, f"{100 * p.accuracy:.2f} %", p.shown) for p in chosen.values()]

    def targets(self) -> dict[str, int | None]:
        """Keystrokes to each accuracy, None where it was not reached."""
        return {f"{100 * target:g} %": self.curve.keys_to(target) for target in TARGETS}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "truth": str(self.truth),
            "unit": self.unit,
            "why": self.why,
            "captchas": self.captchas,
            "labels": self.labels,
            "left_out": self.left_out,
            "error_rate": self.error_rate,
            "keystrokes_to": self.targets(),
            **self.curve.to_dict(),
        }


def simulate_labelling(
    workspace: Workspace,
    truth: Path,
    error_rate: float = 0.0,
    most_keys: int = 256,
    seed: int = 0,
    progress: Progress = silent,
) -> Simulation:
    """Play a labeller who knows a folder's own labels; no dataset of the workspace is touched.

    The questions are those that the review page would ask: of glyphs where the cut fits, else of whole captchas, whose
    reader is trained again and again meanwhile.

    Args:
        workspace: its alphabet holds, where it names one.
        truth: what `captcha-lab import` takes: labelled captchas.
        error_rate: chance that a key is mistyped.
        most_keys: where to stop.
        seed: of the slips of the finger.
        progress: told (done, total) while captchas are read.

    Raises:
        CaptchaLabError: the folder can't be read or holds no labelled captchas.
        UsageError: an impossible error rate.
    """
    from captcha_lab.collect.exchange.importer import import_path
    from captcha_lab.datasets.cutting import segment_dataset
    from captcha_lab.datasets.facts import alphabet_of
    from captcha_lab.label.pictures import DatasetPictures
    from captcha_lab.label.questions.glyphs.opening import compare_cut
    from captcha_lab.label.simulate import simulate, simulate_texts
    from captcha_lab.pipeline.proposing import text_proposer
    from captcha_lab.segment import Segmenter
    from captcha_lab.store.catalog.catalog import Catalog
    from captcha_lab.store.catalog.labels import LabelLog

    with tempfile.TemporaryDirectory(prefix="captcha-lab-") as place:
        folder = DatasetFolder(Path(place) / "simulated")
        import_path(truth, folder, workspace.config, progress=progress)
        with Catalog(folder.catalog_path, create=False) as catalog:
            texts = LabelLog(catalog).texts()
            alphabet = alphabet_of(catalog, workspace.config.alphabet)
            images = len(catalog.images())
            if not texts:
                raise CaptchaLabError(f"{truth} holds no labelled captchas: name the files by their text.")
            length = Counter(len(text) for text in texts.values()).most_common(1)[0][0]
            segment_dataset(folder, Segmenter(glyphs=length), progress)
            ids, pictures = list(texts), DatasetPictures(folder, catalog)
            proposer = text_proposer(lambda number: pictures.captcha(ids[number - 1]))
            cut = compare_cut(folder, progress, texts, otherwise=proposer is not None)
            if cut.look is None:
                curve = simulate_texts(
                    list(texts.values()),
                    alphabet,
                    proposer,
                    error_rate=error_rate,
                    most_keys=most_keys,
                    seed=seed,
                )
                return Simulation(
                    truth, "captcha", cut.why, len(ids), len(ids), images - len(ids), error_rate, curve
                )
    known = {image_id: text for image_id, text in texts.items() if len(text) == length}
    table = cut.glyphs
    rows = [row for row, (image_id, _) in enumerate(table.places) if image_id in known]
    seen = [known[table.places[row][0]][table.places[row][1]] for row in rows]
    curve = simulate(
        table.images[rows],
        seen,
        alphabet,
        length=length,
        error_rate=error_rate,
        most_keys=most_keys,
        seed=seed,
    )
    return Simulation(truth, "glyph", cut.why, len(known), len(rows), images - len(known), error_rate, curve)


def guided_sessions(
    data: PackedSet, milestones: Sequence[int], seeds: Sequence[int] = (0,)
) -> list[Iterator[tuple[int, NDArray[np.integer]]]]:
    """Play labellers of a packed set's training glyphs, one for each seed, who stop at each milestone.

    Each yields the keystrokes pressed so far, and the class that each labelled training glyph has by then (from the
    labeller, a look-alike or a proposal): int64 [N]. None yields anything where a captcha lacks a glyph's label.
    """
    shared: list[LookAlikes] = []  # which glyphs look alike is found once, by the first who needs it
    return [_guided_session(data, milestones, seed, shared) for seed in seeds]


def _guided_session(
    data: PackedSet, milestones: Sequence[int], seed: int, shared: list[LookAlikes]
) -> Iterator[tuple[int, NDArray[np.integer]]]:
    import numpy as np

    from captcha_lab.alphabet import Alphabet
    from captcha_lab.label.proposals.lookalikes import find_look_alikes
    from captcha_lab.label.questions.glyphs.engine import GlyphEngine
    from captcha_lab.label.questions.types import LabelConfig
    from captcha_lab.label.simulate import Labeller, memory_log, play

    train = data.part("train", labelled=True)
    if train.image is None or train.position is None or train.labels is None:
        return
    _, captcha = np.unique(train.image, return_inverse=True)
    places = list(zip((captcha + 1).tolist(), train.position.tolist(), strict=True))
    alphabet = Alphabet("".join(data.classes))
    config = LabelConfig(seed=seed)
    if not shared:
        shared.append(find_look_alikes(train.images, train.position, max_shapes=config.max_shapes, seed=seed))
    engine = GlyphEngine(train.images, places, alphabet, memory_log(places), config, look=shared[0])
    labeller = Labeller(alphabet.decode(train.labels.tolist()), alphabet, seed=seed)
    spent = 0
    for milestone in milestones:
        curve = play(engine, labeller, milestone - spent, ("seed", "uncertain", "grid"))
        if not curve.points:
            return
        spent += curve.points[-1].keystrokes
        given = [
            alphabet.index(c) if c else label for c, label in zip(curve.labels, train.labels, strict=True)
        ]
        yield spent, np.array(given, np.int64)
