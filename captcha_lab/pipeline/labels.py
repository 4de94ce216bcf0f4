"""Chains for labelling: the review page, the terminal, the recogniser's own labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from captcha_lab.label.questions.mixed import MixedEngine
from captcha_lab.label.questions.protocol import Progress as Report
from captcha_lab.label.web.config import ReviewConfig
from captcha_lab.label.worker import Worker, WorkStep
from captcha_lab.pipeline.captchas import ensure_segmented
from captcha_lab.pipeline.common import Progress, Say, find_model, silent
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.workspace import DatasetFolder, Workspace

if TYPE_CHECKING:
    from captcha_lab.label.auto import AutoReport
    from captcha_lab.label.terminal.labeller import TerminalReport

SAMPLE = 300  # captchas whose lengths tell whether the cut fits
SURE = 0.5  # confidence from which a reading tells how long a captcha's text is


def open_labelling(
    workspace: Workspace,
    folder: DatasetFolder,
    say: Say = lambda message: None,
    *,
    reads: bool = True,
    glyphs: bool = True,
) -> tuple[MixedEngine, list[WorkStep]]:
    """What asks about a dataset, and the slow steps that complete it.

    Whole captchas can be asked about at once. The steps cut what is new, read whole captchas where there is a reader
    of them, and compare glyphs; where the cut does not fit, whole captchas stay the only question.

    Args:
        workspace: around the dataset.
        folder: the dataset.
        say: told what a step did.
        reads: whether texts are proposed; without, captchas are asked in the order they came.
        glyphs: whether glyphs are asked about where the cut fits.

    Raises:
        CaptchaLabError: there is no dataset, or it holds no captchas.
    """
    from captcha_lab.label.questions.texts.opening import open_texts

    engine = MixedEngine(open_texts(folder, workspace.config.alphabet))
    why = {"questions": "", "proposals": ""}

    def told(what: str, message: str) -> None:
        why[what] = message
        # Where glyphs are asked about, what they spell is proposed for whole captchas.
        parts = [why["questions"]] if engine.asks_glyphs else list(why.values())
        engine.why = " ".join(filter(None, parts))
        say(message)

    def cut(progress: Report) -> None:
        ensure_segmented(workspace, folder, say, progress)

    def read(progress: Report) -> None:
        from captcha_lab.label.pictures import DatasetPictures
        from captcha_lab.pipeline.proposing import starts_of, text_proposer

        pixels = DatasetPictures(folder, engine.texts.log.catalog).captcha
        starts = starts_of(workspace, folder, pixels, lambda message: told("proposals", message))
        engine.texts.proposer = text_proposer(pixels, starts)
        engine.texts.read(progress, SAMPLE if glyphs else None)

    def compare(progress: Report) -> None:
        # Imported here: the page must be there before scikit-learn is.
        from captcha_lab.label.questions.glyphs.opening import compare_cut, glyph_engine

        otherwise = engine.texts.proposer is not None
        cut = compare_cut(folder, progress, engine.texts.sure_texts(SURE), otherwise=otherwise)
        opened = glyph_engine(folder, engine.texts.alphabet, cut)
        if opened is not None:
            engine.use_glyphs(opened)
        told("questions", cut.why)

    def propose(progress: Report) -> None:
        if not engine.asks_glyphs:
            engine.texts.read(progress)

    steps = [
        (True, WorkStep("cutting new captchas", cut)),
        (reads, WorkStep("reading captchas", read)),
        (glyphs, WorkStep("comparing shapes", compare)),
        (glyphs and reads, WorkStep("reading captchas", propose)),
    ]
    return engine, [step for wanted, step in steps if wanted]


def label_by_model(
    workspace: Workspace,
    folder: DatasetFolder,
    say: Say = lambda message: None,
    progress: Progress = silent,
    model: str | None = None,
) -> AutoReport:
    """Let a reader (the one in use) label what no person has labelled; new captchas are cut first.

    Raises:
        CaptchaLabError: there is no dataset or no reader; see also `label.auto.label_by_model`.
    """
    from captcha_lab.alphabet import Alphabet
    from captcha_lab.label.auto import label_by_model as label
    from captcha_lab.recognise.registry import load_reader

    ensure_segmented(workspace, folder, say, progress)
    path = find_model(workspace, model, "recogniser", folder.name, say)
    configured = Alphabet(workspace.config.alphabet) if workspace.config.alphabet else None
    return label(folder, load_reader(path), path.name, configured)


def review(
    workspace: Workspace,
    folder: DatasetFolder,
    config: ReviewConfig,
    on_start: Callable[[str], None],
    *,
    port_is_a_wish: bool = False,
) -> None:
    """Serve the review page until interrupted (see `web.server.serve`).

    Raises:
        CaptchaLabError: there is no dataset, it holds no captchas, or the port is taken.
    """
    from captcha_lab.label.web.desk import Desk
    from captcha_lab.label.web.server import serve

    desk = Desk(folder, *open_labelling(workspace, folder))
    serve(desk, config, on_start, port_is_a_wish=port_is_a_wish)


def label_in_terminal(
    workspace: Workspace,
    folder: DatasetFolder,
    queue: str,
    source: TextIO,
    out: TextIO,
    say: Say,
) -> TerminalReport:
    """Ask a queue's questions in the terminal; training goes on behind it only where a person sits before it.

    On a pipe it happens between two questions, so that the same input gives the same labels; whole captchas come in
    the order in which they were received, without proposals.

    Raises:
        UsageError: there is no such queue.
        CaptchaLabError: there is no dataset, or it holds no captchas.
    """
    from captcha_lab.label.terminal.labeller import Terminal

    typing = queue == "captcha"
    engine, steps = open_labelling(
        workspace, folder, say, reads=source.isatty() or not typing, glyphs=not typing
    )
    worker = Worker(engine, steps)
    with Catalog(folder.catalog_path, create=False) as catalog:
        terminal = Terminal(folder, catalog, engine, worker, queue, source, out)
        worker.prepare()
        if source.isatty():
            worker.start()
        try:
            return terminal.run()
        finally:
            worker.stop()
