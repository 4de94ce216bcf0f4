"""What readers said about captchas, kept beside the labels they may dispute."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass

from captcha_lab.store.catalog.catalog import Catalog


@dataclass(frozen=True)
class Prediction:
    """A model's reading of one captcha; `fold` is None when the model may have trained on it."""

    image_id: int
    text: str
    confidence: float  # probability that the whole text is right, 0 … 1
    per_character: tuple[float, ...] = ()  # probability of each character, 0 … 1
    fold: int | None = None


def register_run(catalog: Catalog, name: str, kind: str = "recogniser") -> int:
    """The catalog's number for a model run, made on first use."""
    with catalog.transaction():
        catalog.execute(
            "INSERT OR IGNORE INTO model_run (name, kind, at) VALUES (?, ?, ?)", (name, kind, time.time())
        )
        row = catalog.execute("SELECT id FROM model_run WHERE name = ?", (name,)).first()
        return int(row["id"])


def put_predictions(catalog: Catalog, run_id: int, predictions: Iterable[Prediction]) -> None:
    """Replace the predictions of a run, all or nothing."""
    with catalog.transaction():
        catalog.execute("DELETE FROM prediction WHERE run_id = ?", (run_id,))
        for p in predictions:
            catalog.execute(
                "INSERT INTO prediction (run_id, image_id, fold, text, confidence, per_character) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (run_id, p.image_id, p.fold, p.text, p.confidence, json.dumps(p.per_character)),
            )


def predictions(catalog: Catalog, run_id: int) -> list[Prediction]:
    """The predictions of a run, by captcha."""
    rows = catalog.execute(
        "SELECT image_id, text, confidence, per_character, fold FROM prediction WHERE run_id = ? "
        "ORDER BY image_id",
        (run_id,),
    )
    return [
        Prediction(**{**dict(row), "per_character": tuple(json.loads(row["per_character"]))}) for row in rows
    ]
