"""Labels from a reader for what no person has labelled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from captcha_lab.alphabet import Alphabet
from captcha_lab.errors import CaptchaLabError
from captcha_lab.recognise.contract import CaptchaReader, Reading
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import Label, LabelEvent, LabelLog, Place
from captcha_lab.store.catalog.predictions import register_run
from captcha_lab.store.workspace import DatasetFolder

MOST_PLACES = 64  # of a captcha
BATCH = 256  # captchas read at once


@dataclass(frozen=True)
class AutoReport:
    """What the model labelled: new or changed labels, those it left as they were, and those it must not touch.

    A label is that of one glyph where the captcha is cut into as many glyphs as the reading has characters, else that
    of a whole text.
    """

    run: str
    labelled: int
    unchanged: int
    kept: int  # given by a person, a batch or an import
    mean_confidence: float
    below_half: int  # labels given with a confidence below 0.5


def label_by_model(
    folder: DatasetFolder, reader: CaptchaReader, run: str, alphabet: Alphabet | None = None
) -> AutoReport:
    """Label everything that has no label, or one of an earlier model, in one act (one undo).

    Labels of people, batches and imports stay whatever the model says, those too that are given while it reads.

    Args:
        folder: the dataset.
        reader: of captchas, of any kind.
        run: its name, kept with the labels.
        alphabet: the only characters that labels may have, where these are configured.

    Raises:
        CaptchaLabError: there is no dataset, or the model reads a character outside the alphabet.
    """
    from captcha_lab.datasets.cutting import captchas

    with Catalog(folder.catalog_path, create=False) as catalog:
        rows, read = catalog.images(), list[tuple[int, Reading]]()
        for start in range(0, len(rows), BATCH):
            pictures = list(captchas(folder, rows[start : start + BATCH]))
            readings = reader.read([image for _, image in pictures])
            read += [(row.id, reading) for (row, _), reading in zip(pictures, readings, strict=True)]
        for _, reading in read:
            _check(reading, run, alphabet)
        # Others may have labelled meanwhile: what stands now decides, and nobody else writes until all is written.
        with catalog.transaction():
            log = LabelLog(catalog)
            current, texts, cuts = log.current(), log.text_labels(), catalog.cuts()
            run_id = register_run(catalog, run)
            events: list[LabelEvent] = []
            sure: list[float] = []
            kept = unchanged = 0
            for image_id, reading in read:
                for position, value, confidence in _labels(reading, len(cuts.get(image_id, ()))):
                    known = _known(image_id, position, current, texts)
                    if known is not None and known.source != "model":
                        kept += 1
                        continue
                    sure.append(confidence)
                    if known is not None and (known.value, known.confidence) == (value, confidence):
                        unchanged += 1
                    else:
                        events.append(LabelEvent(image_id, position, value, "model", run_id, confidence))
            if events:
                log.record("auto", events)
    return AutoReport(
        run,
        labelled=len(events),
        unchanged=unchanged,
        kept=kept,
        mean_confidence=sum(sure) / len(sure) if sure else 0.0,
        below_half=sum(confidence < 0.5 for confidence in sure),
    )


def _labels(reading: Reading, cells: int) -> Iterator[tuple[int | None, str, float]]:
    """Position, label and confidence of what a reading says; a captcha that reads as nothing gets no label."""
    if reading.text and len(reading.text) == cells == len(reading.per_character):
        yield from zip(range(cells), reading.text, reading.per_character, strict=True)
    elif reading.text:
        yield None, reading.text, reading.confidence


def _known(
    image_id: int, position: int | None, current: dict[Place, Label], texts: dict[int, Label]
) -> Label | None:
    """The label there is; of a whole text also one that a person gave to any of its glyphs."""
    if image_id in texts and not texts[image_id].value:
        return texts[image_id]  # nobody can read it
    if position is not None:
        return current.get((image_id, position))
    own = (current.get((image_id, place)) for place in range(MOST_PLACES))
    by_others = (label for label in own if label is not None and label.source != "model")
    return next(by_others, texts.get(image_id))


def _check(reading: Reading, run: str, alphabet: Alphabet | None) -> None:
    foreign = [c for c in reading.text if alphabet is not None and c not in alphabet]
    if foreign:
        raise CaptchaLabError(
            f"The model {run} reads {foreign[0]!r}, which is not in the alphabet that captcha-lab.toml names: train "
            "one on this dataset with `captcha-lab train`, or correct the alphabet."
        )
