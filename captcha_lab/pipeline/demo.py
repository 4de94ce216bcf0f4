"""The demonstration: the whole way, from an endpoint to scored samples, in a few minutes."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from captcha_lab.errors import CaptchaLabError
from captcha_lab.pipeline.common import Progress, Say, silent
from captcha_lab.progress import ProgressBar
from captcha_lab.store.workspace import DatasetFolder, Workspace

if TYPE_CHECKING:
    import numpy as np

    from captcha_lab.evaluate.generators.result import CandidateResult
    from captcha_lab.generate.sampling.sample import Generator
    from captcha_lab.metrics.intervals import Share

Bars = Callable[[str], AbstractContextManager[ProgressBar]]  # a progress bar with that title
ASKED = ("seed", "uncertain", "grid")  # the queues the simulated person works through
SHEET_PER_CLASS = 4  # real and generated glyphs of each class on the contact sheet


@dataclass(frozen=True)
class DemoConfig:
    """How much the demonstration does."""

    captchas: int = 500  # scraped to label and learn from
    fresh: int = 200  # scraped afterwards, read but never trained on
    keystrokes: int = 128  # the simulated person presses at most so many
    generator_seconds: float = 60.0
    samples: int = 1600  # drawn from the generator to be scored
    seed: int = 0


@dataclass(frozen=True)
class DemoReport:
    """What came of it; shares with their Wilson intervals, times in seconds."""

    root: Path
    captchas: int
    glyphs: int
    keystrokes: int
    label_accuracy: float
    recogniser: str
    fresh_captchas: Share
    fresh_glyphs: Share
    generator: str
    figures: dict[str, float]
    floor: dict[str, float]
    verdict: str
    contact_sheet: Path
    report: Path
    seconds: float


def demo(root: Path, config: DemoConfig, say: Say, bars: Bars) -> DemoReport:
    """Scrape the built-in endpoint, label by a simulated labeller, train, read, generate, score.

    Args:
        root: an empty folder, the workspace.
        config: how much of everything.
        say: told what is going on.
        bars: makes progress bars.

    Raises:
        CaptchaLabError: the folder can't be written.
    """
    from captcha_lab.collect.endpoint.server import running_endpoint
    from captcha_lab.pipeline.training import train

    started = time.perf_counter()
    workspace = Workspace(root)
    folder = workspace.dataset()
    say("1. An endpoint is started on this machine, and captchas are scraped from it.")
    with running_endpoint(seed=config.seed, with_answers=True) as url:
        truth = _scrape(folder, url, config.captchas, bars)
        unseen = workspace.dataset("fresh")
        fresh_truth = _scrape(unseen, f"{url}", config.fresh, bars)
    say(f"   {len(truth)} captchas to learn from; {len(fresh_truth)} more that stay unseen.")

    say("2. They are cut into glyphs, and a simulated person presses the keys that the labelling asks for.")
    with bars("Comparing shapes") as bar:
        glyphs, keystrokes, accuracy = label_by_keys(
            workspace, folder, truth, config.keystrokes, config.seed, say, bar
        )
    say(f"   {keystrokes} keystrokes labelled {glyphs} glyphs, {accuracy:.2%} of them right.")

    say("3. The thesis's LeNet learns from these labels and reads captchas it never saw.")
    with bars("Training") as bar:
        trained = train(
            workspace, folder, {"seed": config.seed}, name="recogniser", say=say,
            progress=bar.phase,
        ).chosen  # fmt: skip
    captchas, characters = _read(workspace, unseen, fresh_truth)
    say(f"   {captchas.successes} of {captchas.trials} fresh captchas read right.")

    say(f"4. A generator learns to draw the glyphs, for {config.generator_seconds:.0f} seconds.")
    generator = _generate(workspace, folder, config, say, bars)

    say("5. The recogniser and an independent judge score its samples, beside real glyphs.")
    result, floor, report = _evaluate(workspace, folder, config, say, bars)
    sheet = _contact_sheet(workspace, folder, root / "contact-sheet.png", config.seed)
    return DemoReport(
        root=root,
        captchas=len(truth),
        glyphs=glyphs,
        keystrokes=keystrokes,
        label_accuracy=accuracy,
        recogniser=trained.run.name,
        fresh_captchas=captchas,
        fresh_glyphs=characters,
        generator=generator,
        figures={key: float(figure.value) for key, figure in result.figures.items()},
        floor=floor,
        verdict=report[0],
        contact_sheet=sheet,
        report=report[1],
        seconds=time.perf_counter() - started,
    )


def _scrape(folder: DatasetFolder, url: str, count: int, bars: Bars) -> dict[int, str]:
    """The texts of the captchas, which this endpoint sends along: what the simulated person reads off."""
    from captcha_lab.collect.scrape.config import ScrapeConfig
    from captcha_lab.collect.scrape.scrape import answers, scrape
    from captcha_lab.store.catalog.catalog import Catalog

    with bars(f"Scraping {count}") as bar:
        scrape(folder, url, ScrapeConfig(count=count), on_progress=bar)
    with Catalog(folder.catalog_path) as catalog:
        return answers(catalog)


def label_by_keys(
    workspace: Workspace,
    folder: DatasetFolder,
    truth: dict[int, str],
    keystrokes: int = DemoConfig.keystrokes,
    seed: int = DemoConfig.seed,
    say: Say = lambda message: None,
    progress: Progress = silent,
) -> tuple[int, int, float]:
    """Label a dataset by the keys of a simulated person who knows the texts of its captchas by their number.

    The person answers what the review page would ask; what was never asked gets the engine's proposal, recorded as
    the model's, with one key counted for accepting it.

    Returns:
        Number of glyphs, keys pressed, and the share of labels that are right.
    """
    from captcha_lab.alphabet import Alphabet
    from captcha_lab.label.questions.glyphs.opening import open_engine
    from captcha_lab.label.simulate import Labeller, play
    from captcha_lab.pipeline.captchas import ensure_segmented
    from captcha_lab.store.catalog.catalog import Catalog
    from captcha_lab.store.catalog.labels import LabelEvent, LabelLog

    alphabet = Alphabet(workspace.config.alphabet or Alphabet().characters)
    ensure_segmented(workspace, folder, say, progress)
    engine = open_engine(folder, alphabet, progress)
    with Catalog(folder.catalog_path) as catalog:
        places = [(glyph.image_id, glyph.position) for glyph in catalog.glyphs()]
        seen = [truth[image_id][position] for image_id, position in places]
        play(engine, Labeller(seen, alphabet, seed=seed), keystrokes, ASKED)
        log = LabelLog(catalog)
        known = log.current()
        proposed = zip(places, engine.best_labels(), strict=True)
        log.record(
            "accept",
            [LabelEvent(*p, value, "model") for p, value in proposed if p not in known],
            keystrokes=1,
        )
        labels = log.current()
        right = sum(labels[place].value == character for place, character in zip(places, seen, strict=True))
        return len(places), log.keystrokes(), right / len(places)


def _read(workspace: Workspace, folder: DatasetFolder, truth: dict[int, str]) -> tuple[Share, Share]:
    """Shares of whole captchas and of characters read right."""
    from captcha_lab.datasets.cutting import captchas
    from captcha_lab.metrics.intervals import share_of
    from captcha_lab.pipeline.reading import load_recogniser
    from captcha_lab.store.catalog.catalog import Catalog

    with Catalog(folder.catalog_path) as catalog:
        rows = catalog.images()
    images = [image for _, image in captchas(folder, rows)]
    texts = [reading.text for reading in load_recogniser(workspace).read(images)]
    right = [truth[row.id] for row in rows]
    whole = share_of([text == answer for text, answer in zip(texts, right, strict=True)])
    single = share_of([a == b for t, r in zip(texts, right, strict=True) for a, b in zip(t, r, strict=True)])
    return whole, single


def _generate(workspace: Workspace, folder: DatasetFolder, config: DemoConfig, say: Say, bars: Bars) -> str:
    from captcha_lab.generate.choose import Choice
    from captcha_lab.generate.training.config import GeneratorConfig
    from captcha_lab.pipeline.generators import train_generator

    length = GeneratorConfig(max_seconds=config.generator_seconds, seed=config.seed)
    with bars("Training the generator") as bar:
        report = train_generator(
            workspace, folder, Choice(), length, name="generator", say=say, progress=bar.phase
        )
    if report.interrupted:
        raise CaptchaLabError("The demo was interrupted while its generator trained.")
    return report.recipe


def _evaluate(
    workspace: Workspace, folder: DatasetFolder, config: DemoConfig, say: Say, bars: Bars
) -> tuple[CandidateResult, dict[str, float], tuple[str, Path]]:
    from captcha_lab.evaluate.config import EvalConfig
    from captcha_lab.evaluate.request import EvalRequest
    from captcha_lab.pipeline.evaluation.evaluate import evaluate

    settings = EvalConfig(samples=config.samples, seed=config.seed)
    with bars("Evaluating") as bar:
        done = evaluate(workspace, folder, EvalRequest(), settings, say, bar.phase)
    evaluation = done.report.evaluation
    assert evaluation is not None  # a generator was just trained
    result = evaluation.results[0]
    floor = {key: float(figure.value) for key, figure in result.baseline.items()}
    return result, floor, (done.report.verdict, done.html_path)


def _contact_sheet(workspace: Workspace, folder: DatasetFolder, path: Path, seed: int) -> Path:
    """Real glyphs beside generated ones of the same class: black on white, the generated half tinted."""
    import numpy as np

    from captcha_lab.generate.watching.pictures import save_picture
    from captcha_lab.pipeline.generators import load_generator
    from captcha_lab.store.packed.packed import read_packed

    data = read_packed(folder.packed_path)
    generator = load_generator(workspace)
    rows = [_sheet_row(data.images[data.labels == k], generator, k, seed) for k in range(len(data.classes))]
    columns = 2
    rows += [np.full_like(rows[0], 255)] * (-len(rows) % columns)
    half = len(rows) // columns
    gutter = np.full((half * rows[0].shape[0], 14, 3), 255, np.uint8)
    save_picture(path, np.hstack([np.vstack(rows[:half]), gutter, np.vstack(rows[half:])]), 3)
    return path


def _sheet_row(real: np.ndarray, generator: Generator, label: int, seed: int) -> np.ndarray:
    import numpy as np

    from captcha_lab.generate.watching.pictures import grid

    size = generator.image_shape[0]
    shown = np.full((SHEET_PER_CLASS, size, size), 255, np.uint8)
    shown[: min(len(real), SHEET_PER_CLASS)] = real[:SHEET_PER_CLASS]
    made = generator.sample(np.full(SHEET_PER_CLASS, label), seed=seed + label)
    left, right = (np.repeat(grid(half, SHEET_PER_CLASS, 1)[..., None], 3, 2) for half in (shown, made))
    tinted = (right * np.array([0.86, 0.93, 1.0])).astype(np.uint8)
    gap = np.full((size, 4, 3), 255, np.uint8)
    return np.pad(np.hstack([left, gap, tinted]), ((0, 2), (0, 0), (0, 0)), constant_values=255)
