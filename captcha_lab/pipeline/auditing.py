"""Chains the stages for `audit`: captchas scraped where asked for, packed, read, labelled in simulation, judged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from captcha_lab.errors import CaptchaLabError
from captcha_lab.pipeline.captchas import ensure_packed
from captcha_lab.pipeline.common import Say, StageProgress
from captcha_lab.store.runs import all_runs
from captcha_lab.store.workspace import DEFAULT_LENGTH, DatasetFolder, Workspace

if TYPE_CHECKING:
    from captcha_lab.collect.scrape.config import ScrapeConfig
    from captcha_lab.evaluate.audit.config import AuditConfig
    from captcha_lab.evaluate.audit.result import Audit
    from captcha_lab.recognise.classifier import Classifier
    from captcha_lab.store.packed.packed import PackedSet


def audit_dataset(
    url: str | None,
    dataset: str | None,
    scrape: ScrapeConfig,
    config: AuditConfig,
    target: Path | None,
    confirm: Callable[[str], bool] | None,
    say: Say,
    progress: StageProgress,
) -> tuple[Audit, Path, Path]:
    """Audit a dataset of captchas, scraped first where a URL is given; writes `audit.json` and `audit.html`.

    Raises:
        CaptchaLabError: there are no captchas, or scraping was refused or stopped.
    """
    from captcha_lab.collect.scrape.source import scrape_source
    from captcha_lab.evaluate.audit.audit import audit
    from captcha_lab.evaluate.audit.html import write_audit
    from captcha_lab.evaluate.reading.glyphs import measure_glyphs
    from captcha_lab.pipeline.simulation import guided_sessions
    from captcha_lab.store.catalog.catalog import Catalog

    workspace = Workspace.find()
    if url is not None:
        scrape_source(workspace, scrape, url=url, dataset=dataset, confirm=confirm, say=say)
    folder = workspace.dataset(dataset)
    if not folder.catalog_path.exists():
        raise CaptchaLabError(
            f"There are no captchas in dataset {folder.name} of {workspace.root}: give a URL to audit, or run "
            "`captcha-lab scrape` or `captcha-lab import` first."
        )
    data = _with_answers(folder, ensure_packed(workspace, folder, say), say)
    with Catalog(folder.catalog_path, create=False) as catalog:
        # Imported files are rows of `fetch` too, but say nothing about an endpoint.
        fetches = [
            fetch
            for fetch in catalog.fetches()
            if fetch.image_id is not None and fetch.url.startswith(("http:", "https:"))
        ]
        cells: dict[int, list[str]] = {}
        for glyph in catalog.glyphs():
            cells.setdefault(glyph.image_id, []).append(glyph.flags)
    repeats = len(fetches) - len({fetch.image_id for fetch in fetches})
    reader, reading = None, None
    if _readable(data):
        reader, _ = _recogniser_for_audit(workspace, data, say)
        reading = measure_glyphs(reader, data, seed=config.seed, progress=progress)
    length = max((len(flags) for flags in cells.values()), default=workspace.config.length or DEFAULT_LENGTH)
    found = audit(
        data, cells, {"received": len(fetches)}, repeats, length, reader, reading, config,
        labellers=guided_sessions(data, config.keystrokes, range(config.seed, config.seed + config.labellers)),
        progress=progress,
    )  # fmt: skip
    return found, *write_audit(found, target or folder.root / "audit")


def _readable(data: PackedSet) -> bool:
    """Whether training and test captchas are labelled."""
    from captcha_lab.store.packed.packed import UNLABELLED

    if data.labels is None:
        return False
    known = data.labels != UNLABELLED
    return bool((known & (data.split == 0)).any() and (known & (data.split == 2)).any())


def _with_answers(folder: DatasetFolder, data: PackedSet, say: Say) -> PackedSet:
    """Unlabelled captchas whose endpoint told the answer (`serve --with-answers`) get it, in memory only."""
    from dataclasses import replace

    import numpy as np

    from captcha_lab.collect.scrape.scrape import answers
    from captcha_lab.store.catalog.catalog import Catalog
    from captcha_lab.store.packed.packed import UNLABELLED

    with Catalog(folder.catalog_path, create=False) as catalog:
        told = answers(catalog)
    if not told or data.labels is None or data.image is None or data.position is None:
        return data
    index = {name: k for k, name in enumerate(data.classes)}
    labels = np.array(data.labels)
    for row in np.flatnonzero(labels == UNLABELLED):
        image, position = int(data.image[row]), int(data.position[row])
        text = told.get(image, "")
        labels[row] = index.get(text[position], UNLABELLED) if position < len(text) else UNLABELLED
    if (labels != data.labels).any():
        say("The endpoint tells its answers: they serve as labels for this audit.")
        return replace(data, labels=labels, info={**data.info, "answers": len(told)})
    return data


def _recogniser_for_audit(workspace: Workspace, data: PackedSet, say: Say) -> tuple[Classifier, str]:
    """The newest recogniser that fits; else one is trained on the labels at hand."""
    from captcha_lab.recognise.classifier import Classifier
    from captcha_lab.recognise.readers.glyph import train_glyph_reader

    for run in reversed(all_runs(workspace.models, "recogniser")):
        if run.weights.is_file() and run.config().get("data") == data.info:
            return Classifier.load(run.root), run.name
    say("No recogniser of these captchas and labels yet: training one.")
    report = train_glyph_reader(data, workspace.models)
    return Classifier.load(report.run.root), report.run.name
