"""Chains for labelling: the review page, the terminal, the recogniser's own labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from captcha_lab.alphabet import Alphabet
from captcha_lab.label.questions.asking import Engine
from captcha_lab.label.questions.plain import Ground
from captcha_lab.label.web.config import ReviewConfig
from captcha_lab.label.worker import Worker
from captcha_lab.pipeline.captchas import ensure_segmented
from captcha_lab.pipeline.common import Progress, Say, find_model, silent
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.workspace import DEFAULT_LENGTH, DatasetFolder, Workspace

if TYPE_CHECKING:
    from captcha_lab.label.auto import AutoReport
    from captcha_lab.label.terminal.labeller import TerminalReport


def open_engine(folder: DatasetFolder, alphabet: Alphabet, progress: Progress) -> Engine:
    """The engine that decides what to ask; slow, it compares all shapes (see `label.opening` for errors)."""
    # Imported here: the page must be there before scikit-learn is.
    from captcha_lab.label.questions import opening

    return opening.open_engine(folder, alphabet, progress)


def label_by_model(
    workspace: Workspace,
    folder: DatasetFolder,
    say: Say = lambda message: None,
    progress: Progress = silent,
    model: str | None = None,
) -> AutoReport:
    """Let a recogniser (the newest) label what no person has labelled; new captchas are cut first.

    Raises:
        CaptchaLabError: there is no dataset or no recogniser; see also `label.auto.label_by_model`.
    """
    from captcha_lab.datasets.facts import alphabet_of
    from captcha_lab.label.auto import label_by_model as label
    from captcha_lab.recognise.read import Recogniser

    ensure_segmented(workspace, folder, say, progress)
    path = find_model(workspace, model, "recogniser")
    with Catalog(folder.catalog_path, create=False) as catalog:
        alphabet = alphabet_of(catalog, workspace.config.alphabet)
    return label(folder, Recogniser.load(path), path.name, alphabet)


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

    desk = Desk(folder, open_engine, workspace.config.alphabet, workspace.config.length or DEFAULT_LENGTH)
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

    On a pipe it happens between two questions, so that the same input gives the same labels.

    Raises:
        UsageError: there is no such queue.
        CaptchaLabError: there is no dataset, or it holds no captchas.
    """
    from captcha_lab.label.terminal.labeller import Terminal

    with Catalog(folder.catalog_path, create=False) as catalog:
        ground = Ground.of(catalog, workspace.config.alphabet, workspace.config.length or DEFAULT_LENGTH)
        worker = Worker(folder, ground.alphabet, ground.segmenter, open_engine)
        terminal = Terminal(
            folder, catalog, ground, queue, None if queue == "captcha" else worker, source, out
        )
        cut = worker.cut()
        if cut.captchas:
            say(f"Segmented {cut.captchas} new captchas into {cut.cells} glyphs.")
        if queue != "captcha":
            say("Comparing shapes …")
            worker.compare()
            if source.isatty():
                worker.start()
        try:
            return terminal.run()
        finally:
            worker.stop()
