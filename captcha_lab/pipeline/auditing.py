"""Chains the stages for `audit`: captchas scraped where asked for, packed, and read by every kind of reader."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from captcha_lab.errors import CaptchaLabError
from captcha_lab.pipeline.captchas import ensure_packed
from captcha_lab.pipeline.common import Say, check_folder, find_model
from captcha_lab.pipeline.models import dataset_of
from captcha_lab.progress import PhaseProgress
from captcha_lab.store.runs import Run, all_runs, load_weights
from captcha_lab.store.workspace import DEFAULT_LENGTH, DatasetFolder, Workspace

if TYPE_CHECKING:
    import numpy as np

    from captcha_lab.collect.scrape.config import ScrapeConfig
    from captcha_lab.evaluate.audit.attack import Attacker
    from captcha_lab.evaluate.audit.audit import Captchas
    from captcha_lab.evaluate.audit.config import AuditConfig
    from captcha_lab.evaluate.audit.result import Audit
    from captcha_lab.evaluate.audit.traits import Redrawn, TraitResult
    from captcha_lab.recognise.classifier import Classifier
    from captcha_lab.recognise.contract import CaptchaReader
    from captcha_lab.store.packed.packed import PackedSet
    from captcha_lab.store.packed.texts import TextSet


def audit_dataset(
    url: str | None,
    dataset: str | None,
    scrape: ScrapeConfig,
    config: AuditConfig,
    target: Path | None,
    confirm: Callable[[str], bool] | None,
    say: Say,
    progress: PhaseProgress,
    model: str | None = None,
) -> tuple[Audit, Path, Path]:
    """Audit a dataset of captchas, scraped first where a URL is given; writes `audit.json` and `audit.html`.

    A model that is named reads them beside the attackers that learn here.

    Raises:
        CaptchaLabError: there are no captchas, or scraping was refused or stopped.
        UsageError: the target can't be made a folder.
    """
    from captcha_lab.collect.scrape.source import scrape_source
    from captcha_lab.evaluate.audit.audit import audit
    from captcha_lab.evaluate.audit.html import write_audit
    from captcha_lab.evaluate.reading.glyphs import measure_glyphs

    if target is not None:
        check_folder(target)  # before the work
    workspace = Workspace.find()
    named = None if model is None else find_model(workspace, model, "recogniser")  # before the work, too
    if url is not None:
        scrape_source(workspace, scrape, url=url, dataset=dataset, confirm=confirm, say=say)
    folder = workspace.dataset(dataset)
    if not folder.catalog_path.exists():
        raise CaptchaLabError(
            f"There are no captchas in dataset {folder.name} of {workspace.root}: give a URL to audit, or run "
            "`captcha-lab scrape` or `captcha-lab import` first."
        )
    captchas = _captchas(workspace, folder, say)
    reader, reading = None, None
    cut = _why_no_cells(captchas)
    if captchas.glyphs is not None and not cut:
        reader = _classifier(workspace, captchas.glyphs, named, say)
        reading = measure_glyphs(reader, captchas.glyphs, seed=config.seed, progress=progress)
    attackers, notes = _attackers(captchas, config, cells=not cut), [cut] if cut else []
    attackers += [] if named is None else [_trained(named, captchas)]
    redrawn, why = _redrawn(folder, config)
    notes += [] if redrawn else [why]
    found = audit(
        captchas, attackers, reader, reading, config,
        traits=(lambda: _traits(redrawn, config, progress)) if redrawn else None,
        notes=notes, progress=progress,
    )  # fmt: skip
    return found, *write_audit(found, target or folder.root / "audit")


def _captchas(workspace: Workspace, folder: DatasetFolder, say: Say) -> Captchas:
    """The captchas of a dataset as an audit takes them, with answers that their endpoint told."""
    from captcha_lab.datasets.captcha import load_texts
    from captcha_lab.evaluate.audit.audit import Captchas
    from captcha_lab.store.catalog.catalog import Catalog

    glyphs = ensure_packed(workspace, folder, say)
    texts = load_texts(folder)
    glyphs, texts = _with_answers(folder, glyphs, texts, say)
    cells: dict[int, list[str]] = {}
    with Catalog(folder.catalog_path, create=False) as catalog:
        # Imported files are rows of `fetch` too, but say nothing about an endpoint.
        fetches = [
            fetch
            for fetch in catalog.fetches()
            if fetch.image_id is not None and fetch.url.startswith(("http:", "https:"))
        ]
        for glyph in catalog.glyphs():
            cells.setdefault(glyph.image_id, []).append(glyph.flags)
    lengths = Counter(len(text) for text in texts.texts if text) or Counter(map(len, cells.values()))
    usual = lengths.most_common(1)[0][0] if lengths else workspace.config.length or DEFAULT_LENGTH
    return Captchas(
        dataset=folder.name,
        count=len(texts),
        length=usual,
        glyphs=glyphs,
        texts=texts,
        flags=cells,
        received=len(fetches),
        repeats=len(fetches) - len({fetch.image_id for fetch in fetches}),
        url=Counter(fetch.url.split("?")[0] for fetch in fetches).most_common(1)[0][0] if fetches else "",
        date=date.today().isoformat(),
    )


def _redrawn(folder: DatasetFolder, config: AuditConfig) -> tuple[list[Redrawn], str]:
    """The built-in endpoint's style as it is, then with each trait changed; none and why for another endpoint."""
    from captcha_lab.collect.endpoint.config import EndpointConfig
    from captcha_lab.collect.endpoint.painter import Painter
    from captcha_lab.collect.endpoint.traits import changes, traits_from
    from captcha_lab.collect.scrape.run import STYLE_KEY
    from captcha_lab.evaluate.audit.traits import Redrawn
    from captcha_lab.store.catalog.catalog import Catalog

    with Catalog(folder.catalog_path, create=False) as catalog:
        described = catalog.get_meta(STYLE_KEY)
    if not described:
        return [], (
            "What in the picture resists can only be guessed: these captchas are not the built-in endpoint's, which "
            "could draw them again with one trait changed."
        )
    try:
        told = json.loads(described)
        endpoint = EndpointConfig(told["style"], alphabet=told["alphabet"], seed=config.seed)
        traits = traits_from(told["traits"])
        if traits is None:
            raise ValueError("no traits")
        own = Redrawn("", "the captchas as they are", False, Painter(endpoint, traits).draw)
        others = [
            Redrawn(change.trait, change.text, change.added, Painter(endpoint, change.traits).draw)
            for change in changes(traits)
        ]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, CaptchaLabError):
        return (
            [],
            "What in the picture resists can only be guessed: the endpoint describes no style known here.",
        )
    return [own, *others], ""


def _traits(redrawn: list[Redrawn], config: AuditConfig, progress: PhaseProgress) -> list[TraitResult]:
    from captcha_lab.evaluate.audit.traits import measure_traits
    from captcha_lab.recognise.registry import reader_kind

    return measure_traits(redrawn, reader_kind("sequence"), _ready_made, config, progress)


def _ready_made(pictures: Sequence[np.ndarray]) -> CaptchaReader:
    """The reader of a stranger without a label: the base reader, which sees what the captchas have in common."""
    from captcha_lab.recognise.sequence.adapt import adapted
    from captcha_lab.recognise.sequence.reader import base_reader

    return adapted(base_reader(), pictures)


def _attackers(captchas: Captchas, config: AuditConfig, *, cells: bool) -> list[Attacker]:
    """Who tries to read the captchas; glyph by glyph where cells fit their texts."""
    from captcha_lab.evaluate.audit.audit import LEAST_FOR_CURVE
    from captcha_lab.evaluate.audit.glyph_attacks import GuidedAttacker, TypedGlyphAttacker
    from captcha_lab.evaluate.audit.table_attack import TableAttacker
    from captcha_lab.evaluate.audit.text_attacks import ReadyMadeAttacker, TypedAttacker
    from captcha_lab.pipeline.simulation import guided_sessions
    from captcha_lab.recognise.registry import CaptchaViews, reader_kinds

    pictures = captchas.texts.images if captchas.texts is not None else ()
    found: list[Attacker] = [ReadyMadeAttacker(_ready_made(pictures))]
    glyphs, texts, enough = captchas.glyphs, captchas.texts, captchas.learned >= LEAST_FOR_CURVE
    if glyphs is not None and cells:
        found.append(TableAttacker(glyphs))
        if enough:
            seeds = range(config.seed, config.seed + config.labellers)
            found.append(GuidedAttacker(glyphs, guided_sessions(glyphs, config.keystrokes, seeds)))
            found.append(TypedGlyphAttacker(glyphs))
    if texts is not None and glyphs is not None and enough:
        views = CaptchaViews(texts, lambda: glyphs)
        # Cells are attacked above, by the cheaper ways of labelling that they allow.
        kinds = [
            kind for kind in reader_kinds().values() if kind.name != "glyph" and kind.suits(views) is None
        ]
        found += [TypedAttacker(kind, views) for kind in kinds]
    return found


def _why_no_cells(captchas: Captchas) -> str:
    """Why the captchas are not read glyph by glyph; empty where they are."""
    from captcha_lab.recognise.registry import CaptchaViews, reader_kind

    glyphs, texts = captchas.glyphs, captchas.texts
    reason = "they are not cut" if glyphs is None else ""
    if glyphs is not None and not _readable(glyphs):
        reason = "no cell has a character of its own, in the training and the test captchas"
    if glyphs is not None and texts is not None and not reason:
        reason = reader_kind("glyph").suits(CaptchaViews(texts, lambda: glyphs)) or ""
    return reason and (
        f"The captchas were not read glyph by glyph: {reason}. `captcha-lab segment` cuts them otherwise, into "
        "--glyphs cells."
    )


def _trained(path: Path, captchas: Captchas) -> Attacker:
    """A trained reader among the attackers; what it learned of this dataset counts as typed in full."""
    from captcha_lab.evaluate.audit.text_attacks import ReadyMadeAttacker
    from captcha_lab.recognise.registry import load_reader

    run = Run(path if path.is_dir() else path.parent)
    own = (run.root / "config.json").is_file() and dataset_of(run) == captchas.dataset
    typed = captchas.texts.part("train").texts if own and captchas.texts is not None else ()
    means = f"the run {run.name}, trained on " + (
        f"the {len(typed)} labelled captchas of this dataset, counted as typed in full"
        if own
        else "other captchas"
    )
    keystrokes = sum(len(text) + 1 for text in typed)
    return ReadyMadeAttacker(load_reader(path), f"reader {run.name}", means, len(typed), keystrokes)


def _readable(data: PackedSet) -> bool:
    """Whether training and test captchas are labelled."""
    from captcha_lab.store.packed.packed import UNLABELLED

    if data.labels is None:
        return False
    known = data.labels != UNLABELLED
    return bool((known & (data.split == 0)).any() and (known & (data.split == 2)).any())


def _with_answers(
    folder: DatasetFolder, glyphs: PackedSet, texts: TextSet, say: Say
) -> tuple[PackedSet, TextSet]:
    """Unlabelled captchas whose endpoint told the answer (`serve --with-answers`) get it, in memory only."""
    from dataclasses import replace

    import numpy as np

    from captcha_lab.collect.scrape.scrape import answers
    from captcha_lab.store.catalog.catalog import Catalog
    from captcha_lab.store.packed.packed import UNLABELLED

    with Catalog(folder.catalog_path, create=False) as catalog:
        known = answers(catalog)
    missing = [int(k) for k, text in zip(texts.image_ids, texts.texts, strict=True) if not text]
    if not known.keys() & set(missing):
        return glyphs, texts
    say("The endpoint tells its answers: they serve as labels for this audit.")
    whole = tuple(text or known.get(int(k), "") for k, text in zip(texts.image_ids, texts.texts, strict=True))
    texts = replace(texts, texts=whole, info={**texts.info, "answers": len(known)})
    if glyphs.labels is None or glyphs.image is None or glyphs.position is None:
        return glyphs, texts
    index = {name: k for k, name in enumerate(glyphs.classes)}
    labels = np.array(glyphs.labels)
    cells = Counter(glyphs.image.tolist())
    for row in np.flatnonzero(labels == UNLABELLED):
        text, position = known.get(int(glyphs.image[row]), ""), int(glyphs.position[row])
        if len(text) == cells[int(glyphs.image[row])]:  # else a cell is no character
            labels[row] = index.get(text[position], UNLABELLED)
    return replace(glyphs, labels=labels, info={**glyphs.info, "answers": len(known)}), texts


def _classifier(workspace: Workspace, data: PackedSet, named: Path | None, say: Say) -> Classifier:
    """The named classifier where it reads these classes, else the newest of exactly these glyphs and labels.

    Where there is none, one is trained on the labels at hand.
    """
    from captcha_lab.recognise.classifier import Classifier
    from captcha_lab.recognise.glyph.train import train_glyph_reader
    from captcha_lab.recognise.networks.lenet import ARCHITECTURE

    if named is not None and load_weights(named)[1]["architecture"] == ARCHITECTURE:
        found = Classifier.load(named)
        if (found.classes, found.size) == (data.classes, data.images.shape[1]):
            return found
    for run in reversed(all_runs(workspace.models, "recogniser")):
        if run.weights.is_file() and run.config().get("data") == data.info:
            say(f"Glyphs are read by the recogniser {run.name}.")
            return Classifier.load(run.root)
    say("No recogniser of these captchas and labels yet: training one.")
    return Classifier.load(train_glyph_reader(data, workspace.models).run.root)
