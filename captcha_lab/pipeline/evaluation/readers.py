"""Who reads in an evaluation: a classifier of glyphs for samples, and a reader of whole captchas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from captcha_lab.errors import CaptchaLabError
from captcha_lab.pipeline.common import Say, find_model
from captcha_lab.pipeline.models import choose_run, dataset_of
from captcha_lab.pipeline.training import train
from captcha_lab.store.workspace import DatasetFolder, Workspace

if TYPE_CHECKING:
    from captcha_lab.evaluate.config import EvalConfig
    from captcha_lab.evaluate.reading.curve import CurvePoint
    from captcha_lab.evaluate.request import EvalRequest
    from captcha_lab.metrics.intervals import Share
    from captcha_lab.pipeline.evaluation.data import EvaluationData
    from captcha_lab.progress import PhaseProgress
    from captcha_lab.recognise.classifier import Classifier
    from captcha_lab.recognise.contract import CaptchaReader
    from captcha_lab.store.packed.packed import PackedSet
    from captcha_lab.store.packed.texts import TextSet


@dataclass(frozen=True)
class ReadCaptchas:
    """A reader of captchas, its run, and the labelled test captchas that it has never seen."""

    reader: CaptchaReader
    run: str
    texts: TextSet


def captcha_reader(
    workspace: Workspace, folder: DatasetFolder, request: EvalRequest, say: Say
) -> ReadCaptchas | None:
    """The named reader, else the one in use for this dataset, else a new one.

    None where there is no labelled test captcha, or where the named model reads no captchas.
    """
    from captcha_lab.datasets.captcha import load_texts
    from captcha_lab.recognise.registry import load_reader

    if not folder.catalog_path.exists():
        return None
    texts = load_texts(folder)
    test = texts.part("test", distinct=True)
    test = test if len(test) else texts.part("test")
    if not len(test) or not len(texts.part("train")):
        return None
    if request.recogniser is not None:
        path = find_model(workspace, request.recogniser, "recogniser")
        try:
            return ReadCaptchas(load_reader(path), path.name, test)
        except CaptchaLabError as error:  # of glyphs, which it judges all the same, or damaged
            say(str(error))
            return None
    chosen = choose_run(workspace, "recogniser", folder.name)
    if chosen is not None and dataset_of(chosen.run) == folder.name:
        try:
            reader = load_reader(chosen.run.root)
        except CaptchaLabError as error:  # of single pictures, or damaged
            say(f"{chosen.run.name} is not used: {error}")
        else:
            say(chosen.message)
            return ReadCaptchas(reader, chosen.run.name, test)
    say("No reader of this dataset yet: training one.")
    run = train(workspace, folder, say=say).chosen.run
    return ReadCaptchas(load_reader(run.root), run.name, test)


def text_curve(
    folder: DatasetFolder, test: TextSet, config: EvalConfig, progress: PhaseProgress
) -> list[CurvePoint]:
    """Test captchas read by the base reader, and by readers of whole captchas trained on more and more labels.

    Args:
        folder: of the dataset.
        test: labelled captchas that are read.
        config: says on how many labels; all of them are the last point.
        progress: called with each training.
    """
    from captcha_lab.datasets.captcha import load_texts
    from captcha_lab.evaluate.reading.curve import CurvePoint, sizes_of, train_on_more
    from captcha_lab.evaluate.reading.texts import read_all
    from captcha_lab.metrics.text import text_accuracy
    from captcha_lab.recognise.registry import CaptchaViews, reader_kind
    from captcha_lab.recognise.sequence.adapt import adapted
    from captcha_lab.recognise.sequence.reader import base_reader

    def share(reader: CaptchaReader) -> Share:
        return text_accuracy(test.texts, [reading.text for reading in read_all(reader, test.images)])

    def no_glyphs() -> PackedSet:
        raise AssertionError("a reader of whole pictures asks for no glyphs")

    texts = load_texts(folder)
    sizes = sizes_of(len(texts.part("train")), config.labels)
    points = [CurvePoint(0, share(adapted(base_reader(), texts.images)), 0.0)]
    trained = train_on_more(
        reader_kind("sequence"), CaptchaViews(texts, no_glyphs), sizes, {}, config.seed, progress
    )
    return points + [CurvePoint(len(one.rows), share(one.reader), one.seconds) for one in trained]


def glyph_classifier(
    workspace: Workspace,
    folder: DatasetFolder,
    data: EvaluationData,
    request: EvalRequest,
    say: Say,
    notes: list[str],
    *,
    needed: bool,
) -> tuple[Classifier | None, str]:
    """The named classifier, else the newest that fits, else, if it is needed, a new one.

    None where glyphs have no labels, or where there is none and none is needed.
    """
    from captcha_lab.recognise.classifier import Classifier, fitting_classifier
    from captcha_lab.recognise.networks.lenet import ARCHITECTURE
    from captcha_lab.store.runs import load_weights

    if request.recogniser is not None:
        path = find_model(workspace, request.recogniser, "recogniser")
        if load_weights(path)[1]["architecture"] == ARCHITECTURE:
            return Classifier.load(path), path.name
    if data.real is not None and data.real.attribute_names:
        return None, ""
    if not data.labelled:
        notes.append(
            "The data has no labels, so nobody can read the samples: distances are between pixels. "
            "`captcha-lab label` gives labels."
        )
        return None, ""
    found = fitting_classifier(workspace.models, data.classes, data.image_shape)
    if found is not None:
        return found[0], found[1].name
    if not needed:
        return None, ""
    if data.image_shape[0] != data.image_shape[1]:
        notes.append(
            "The images are not square, so the recogniser can't read them: distances are between pixels."
        )
        return None, ""
    say("No classifier of these glyphs yet: training one.")
    run = train(workspace, folder, reader="glyph", say=say).chosen.run
    return Classifier.load(run.root), run.name
