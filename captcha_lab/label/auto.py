"""Labels from the recogniser for the places no person has labelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from captcha_lab.alphabet import Alphabet
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelEvent, LabelLog
from captcha_lab.store.catalog.predictions import register_run
from captcha_lab.store.workspace import DatasetFolder

if TYPE_CHECKING:
    from captcha_lab.recognise.classifier import Classifier


@dataclass(frozen=True)
class AutoReport:
    """What the model labelled: new or changed labels, those it left as they were, and places it must not touch."""

    run: str
    labelled: int
    unchanged: int
    kept: int  # labelled by a person, a batch or an import
    mean_confidence: float
    below_half: int  # labels given with a confidence below 0.5


def label_by_model(folder: DatasetFolder, recogniser: Classifier, run: str, alphabet: Alphabet) -> AutoReport:
    """Label every cut glyph that has no label, or one of an earlier model, in one act (one undo).

    Labels of people, batches and imports stay whatever the model says.

    Raises:
        CaptchaLabError: nothing is cut, or the model reads characters outside the alphabet.
    """
    from captcha_lab.datasets.cutting import read_glyphs

    foreign = [c for c in recogniser.classes if c not in alphabet]
    if foreign:
        raise CaptchaLabError(
            f"The model {run} reads {foreign[0]!r}, which is not in the alphabet {alphabet.characters} of dataset "
            f"{folder.name}: train one on this dataset with `captcha-lab train`."
        )
    table = read_glyphs(folder)
    if not table.places:
        raise CaptchaLabError(f"Dataset {folder.name} has no glyphs yet: run `captcha-lab segment`.")
    with Catalog(folder.catalog_path, create=False) as catalog:
        log = LabelLog(catalog)
        revision, current = log.revision, log.current()
        rows = [
            k
            for k, place in enumerate(table.places)
            if place not in current or current[place].source == "model"
        ]
        probabilities = recogniser.probabilities(table.images[rows])
        sure = probabilities.max(axis=1)
        run_id = register_run(catalog, run)
        events = []
        for row, k, confidence in zip(
            rows, probabilities.argmax(axis=1).tolist(), sure.tolist(), strict=True
        ):
            place, value = table.places[row], recogniser.classes[k]
            known = current.get(place)
            if known is None or (known.value, known.confidence) != (value, confidence):
                events.append(LabelEvent(*place, value, "model", run_id, confidence))
        if events:
            log.record("auto", events, expected_revision=revision)
    return AutoReport(
        run,
        labelled=len(events),
        unchanged=len(rows) - len(events),
        kept=len(table.places) - len(rows),
        mean_confidence=float(sure.mean()) if len(rows) else 0.0,
        below_half=int((sure < 0.5).sum()),
    )
