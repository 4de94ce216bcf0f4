"""What `import captcha_lab` offers to programs: whole steps in a workspace, by default that of the current folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captcha_lab.errors import UsageError
from captcha_lab.progress import no_progress
from captcha_lab.store.workspace import DatasetFolder, Workspace

if TYPE_CHECKING:
    from captcha_lab.datasets.imageset import ImageSet
    from captcha_lab.generate.sampling.sample import Generator
    from captcha_lab.generate.training.report import GeneratorReport
    from captcha_lab.pipeline.evaluation.evaluate import Evaluated
    from captcha_lab.recognise.contract import CaptchaReader, Reading
    from captcha_lab.recognise.registry import ReaderReport


def load_recogniser(path: Path | str) -> CaptchaReader:
    """A reader of captchas, of whatever kind, from its run folder or model file.

    `.read(pictures)` gives a `Reading` (text, confidence, per_character, boxes) for each of them: paths, bytes, PIL
    images, or arrays, uint8 or float in [0, 1], grey, RGB or RGBA.

    Raises:
        CaptchaLabError: the file is absent, damaged, or another kind of model.
    """
    from captcha_lab.recognise.registry import load_reader

    return load_reader(path)


def load_generator(path: Path | str) -> Generator:
    """A generator from its run folder or model file; `.sample(labels=["A", "B"], seed=0)` draws uint8 images.

    Raises:
        CaptchaLabError: the file is absent, damaged, or another kind of model.
    """
    from captcha_lab.generate.sampling.sample import load_generator as load

    return load(Path(path))


def load_dataset(
    name: str | None = None, *, texts: bool = False, workspace: Path | str | None = None
) -> ImageSet:
    """A dataset as arrays; torch's `DataLoader` takes it, `numpy.asarray` gives its images.

    Args:
        name: of the dataset; None: the configured one.
        texts: whole captchas with their texts, instead of glyphs (or digits, faces) with their classes.
        workspace: its folder, or one below it; None: the current folder.

    Raises:
        CaptchaLabError: there is no such dataset, or it can't be packed.
    """
    from captcha_lab.datasets.imageset import of_packed, of_texts

    found, folder = _locate(name, workspace)
    if texts:
        from captcha_lab.datasets.captcha import load_texts

        return of_texts(folder.name, load_texts(folder))
    from captcha_lab.pipeline.captchas import ensure_packed

    return of_packed(folder.name, ensure_packed(found, folder, _silent))


def read(
    pictures: Iterable[Any], *, model: str | None = None, workspace: Path | str | None = None
) -> list[Reading]:
    """Read captchas, as `captcha-lab read` does; where nothing was trained, by the reader that comes along.

    Args:
        pictures: paths, bytes, PIL images, or arrays, uint8 or float in [0, 1], grey, RGB or RGBA.
        model: name of the run; None: the one in use.
        workspace: its folder, or one below it; None: the current folder.

    Raises:
        CaptchaLabError: one of them is no picture, or there is no such model.
    """
    from captcha_lab.pipeline.reading import read_pictures

    return read_pictures(_workspace(workspace), pictures, model)


def train_recogniser(
    dataset: str | None = None,
    *,
    reader: str = "auto",
    name: str | None = None,
    workspace: Path | str | None = None,
    **settings: Any,
) -> ReaderReport:
    """Train a reader on a dataset's labels, as `captcha-lab train` does; `load_recogniser(report.run.root)` loads it.

    Args:
        dataset: its name; None: the configured one.
        reader: kind of reader (`glyph`, `sequence`, …), or `auto`.
        name: of the run; None: kind and date.
        workspace: its folder, or one below it; None: the current folder.
        settings: of the training by name, such as `epochs`, `batch_size`, `seed`.

    Raises:
        CaptchaLabError: there are too few labels, or the disk refuses.
        UsageError: there is no such kind of reader, or a setting is impossible.
    """
    from captcha_lab.pipeline.training import train

    found, folder = _locate(dataset, workspace)
    return train(found, folder, settings, reader=reader, name=name).chosen


def train_generator(
    dataset: str | None = None,
    *,
    recipe: str | None = None,
    loss: str | None = None,
    label: bool | None = None,
    name: str | None = None,
    workspace: Path | str | None = None,
    **settings: Any,
) -> GeneratorReport:
    """Train a generator, as `captcha-lab train-gen` does; `load_generator(report.run)` loads it.

    Args:
        dataset: its name; None: the configured one.
        recipe: what to train; None: the default one for the data.
        loss: another loss.
        label: conditioned on the class, or not; None: as the data allows.
        name: of the run; None: kind and date.
        workspace: its folder, or one below it; None: the current folder.
        settings: of the training by name, such as `iterations`, `max_seconds`, `seed`.

    Raises:
        CaptchaLabError: there is nothing to train on, or the disk refuses.
        UsageError: there is no such recipe, loss or setting, or it does not fit the data.
    """
    from captcha_lab.generate.choose import Choice
    from captcha_lab.generate.training.config import GeneratorConfig
    from captcha_lab.pipeline.generators import train_generator as train

    found, folder = _locate(dataset, workspace)
    config: GeneratorConfig = _configured(GeneratorConfig, settings)
    return train(found, folder, Choice(recipe=recipe, loss=loss, label=label), config, name=name)


def evaluate_models(
    *models: str, dataset: str | None = None, workspace: Path | str | None = None, **settings: Any
) -> Evaluated:
    """Measure models beside real data and write the report, as `captcha-lab eval` does.

    Args:
        models: names of runs, of generators and a recogniser; none: those in use.
        dataset: its name; None: the configured one.
        workspace: its folder, or one below it; None: the current folder.
        settings: of the evaluation by name, such as `samples`, `seeds`, `seed`, `gan_train`.

    Raises:
        CaptchaLabError: there is nothing to evaluate.
        UsageError: there is no such setting.
    """
    from captcha_lab.evaluate.config import EvalConfig
    from captcha_lab.evaluate.request import EvalRequest
    from captcha_lab.pipeline.evaluation.evaluate import evaluate
    from captcha_lab.pipeline.models import sort_models

    found, folder = _locate(dataset, workspace)
    generators, recogniser = sort_models(found, models)
    request = EvalRequest(
        generators,
        recogniser=recogniser,
        command="captcha_lab.evaluate_models",
        named=dataset is not None,
    )
    return evaluate(found, folder, request, _configured(EvalConfig, settings), _silent, no_progress)


def _silent(message: str) -> None:
    """Programs learn what happened from results and errors, not from messages."""


def _locate(dataset: str | None, workspace: Path | str | None) -> tuple[Workspace, DatasetFolder]:
    found = _workspace(workspace)
    return found, found.dataset(dataset)


def _workspace(folder: Path | str | None) -> Workspace:
    return Workspace.find(None if folder is None else Path(folder))


def _configured(kind: Any, settings: dict[str, Any]) -> Any:
    """A configuration from keyword arguments (UsageError: it has no setting of a name)."""
    known = [entry.name for entry in fields(kind)]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise UsageError(f"There is no setting {', '.join(unknown)}: choose from {', '.join(known)}.")
    return kind(**settings)
