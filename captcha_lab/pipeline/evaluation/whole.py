"""`eval` of generators that draw whole captchas: real ones beside them, and a judge that no training asked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.pipeline.common import Say, find_model
from captcha_lab.pipeline.evaluation.candidates import generator_candidates
from captcha_lab.pipeline.evaluation.repetition import repeated_runs
from captcha_lab.pipeline.models import choose_run, dataset_of
from captcha_lab.pipeline.whole import WholeData, stacked, whole_data
from captcha_lab.progress import PhaseProgress
from captcha_lab.store.runs import Run, all_runs
from captcha_lab.store.workspace import DatasetFolder, Workspace

if TYPE_CHECKING:
    import numpy as np

    from captcha_lab.evaluate.config import EvalConfig
    from captcha_lab.evaluate.generators.candidate import Candidate
    from captcha_lab.evaluate.generators.result import Evaluation
    from captcha_lab.evaluate.generators.texts import TextJudge
    from captcha_lab.evaluate.real import RealData
    from captcha_lab.evaluate.request import EvalRequest
    from captcha_lab.evaluate.subject import Extractor
    from captcha_lab.recognise.sequence.config import SequenceConfig
    from captcha_lab.recognise.sequence.reader import SequenceReader
    from captcha_lab.store.packed.texts import TextSet

KIND = "text-judge"
SEED = 7_919_002  # far from every seed that a user would give
FEW_HELD_OUT = 20
TAUGHT_STEPS = (
    800  # of the reader that learns from samples alone, and of the one that learns from real captchas
)


def asks_for_whole(workspace: Workspace, folder: DatasetFolder, request: EvalRequest) -> bool:
    """Whether the generators to be evaluated draw whole captchas: the first one named, or the one in use."""
    if request.runs:
        return draws_whole(Run.open(find_model(workspace, request.runs[0], "generator")))
    if request.figures is not None:
        return False
    if request.every:
        runs = all_runs(workspace.models, "generator")
        return bool(runs) and all(draws_whole(run) for run in runs)
    chosen = choose_run(workspace, "generator", folder.name)
    return chosen is not None and dataset_of(chosen.run) == folder.name and draws_whole(chosen.run)


def measure_whole(
    workspace: Workspace,
    folder: DatasetFolder,
    request: EvalRequest,
    config: EvalConfig,
    say: Say,
    progress: PhaseProgress,
    notes: list[str],
    extra: list[Extractor],
) -> tuple[list[Candidate], Evaluation]:
    """Measure generators of whole captchas beside real ones; what the report should say besides is added to `notes`.

    Raises:
        CaptchaLabError: too few labelled captchas, or a run that does not fit them.
        UsageError: without the judge nothing could be measured.
    """
    from captcha_lab.evaluate.generators.core import Evaluator

    if not config.judge:
        raise UsageError("Generated captchas are measured by their judge: leave --no-judge away.")

    def repeated(run: Run) -> list[Run]:
        return repeated_runs(workspace, run, config.seeds, say, progress) if request.retrain else [run]

    data = whole_data(workspace, folder)
    real = real_captchas(data)
    candidates, skipped = generator_candidates(workspace, folder, request, real, repeated)
    judge, said = text_judge(workspace, data, progress)
    notes += [*skipped, *said]
    return candidates, Evaluator(real, {}, config, extra=extra, texts=judge, progress=progress).run(
        candidates
    )


def real_captchas(data: WholeData) -> RealData:
    """Real captchas to compare samples with; their conditions are their texts.

    Raises:
        CaptchaLabError: too few are labelled, or none is held out.
    """
    from captcha_lab.evaluate.real import RealData

    held = data.texts.part("test", distinct=True)
    if len(held) < FEW_HELD_OUT:
        held = data.texts.take((data.texts.split != 0) & (data.texts.duplicate == 0)).labelled()
    code = data.code
    held = held.take([all(c in code.characters for c in t) and len(t) <= code.places for t in held.texts])
    if not len(held):
        raise CaptchaLabError(
            f"No labelled captcha of the dataset {data.dataset} is held out for a test: label or import more."
        )
    return RealData(
        data.images,
        stacked(held, data.image_shape),
        code.encode(data.training.texts).astype("int8"),
        code.encode(held.texts).astype("int8"),
        held_source=held.image_ids,
        info=data.texts.info,
        attribute_names=tuple(f"{p + 1}:{c}" for p in range(code.places) for c in code.characters),
    )


def text_judge(workspace: Workspace, data: WholeData, progress: PhaseProgress) -> tuple[TextJudge, list[str]]:
    """The judge of whole captchas of exactly these labelled ones (the stored one, else a new one), and notes.

    It is a sequence reader that learns from half of the training captchas with a seed of its own; neither a
    generator's training nor the choice of a checkpoint asks it.

    Raises:
        CaptchaLabError: too few labelled captchas, or the disk refuses.
    """
    from captcha_lab.evaluate.generators.texts import TextJudge
    from captcha_lab.metrics.text import text_accuracy
    from captcha_lab.recognise.sequence.config import SequenceConfig

    reader, run, learned = _ensure_reader(workspace, data, progress)
    held = data.texts.part("test", distinct=True)
    accuracy = text_accuracy(held.texts, [r.text for r in reader.read(held.images)]) if len(held) else None
    code = data.code

    def teach(images: np.ndarray, texts: Sequence[str], what: str, progress: PhaseProgress) -> SequenceReader:
        # From nothing: the base reader knows most captchas without having learned from these.
        config = SequenceConfig(
            steps=TAUGHT_STEPS, from_base=False, unlabelled=False, tensorboard=False, seed=SEED + 1
        )
        return _trained(_as_texts(images, texts), config, f"{what}: training a reader on it", progress)

    lengths = sorted(set(map(len, data.training.texts)))
    judge = TextJudge(
        reader,
        code.encode,
        lambda count, seed: code.draw(count, lengths, seed),
        code.decode,
        teach,
        accuracy,
    )
    right = (
        f", which reads {100 * accuracy.value:.1f} % of {accuracy.trials} held-out captchas"
        if accuracy
        else ""
    )
    notes = [
        f"Whole captchas are read by the judge {run.name}{right}. It learned from {learned} training captchas, started "
        "from the base reader, and is asked while nothing is trained or chosen."
    ]
    return judge, notes


def _ensure_reader(
    workspace: Workspace, data: WholeData, progress: PhaseProgress
) -> tuple[SequenceReader, Run, int]:
    from captcha_lab.recognise.sequence.config import SequenceConfig
    from captcha_lab.recognise.sequence.reader import SequenceReader
    from captcha_lab.store.runs import save_weights

    config = SequenceConfig(unlabelled=False, tensorboard=False, seed=SEED)
    half = _half(data.training)
    wanted = {"training": asdict(config), "captchas": _digest(data), "learned": len(half)}
    for run in reversed(all_runs(workspace.models, KIND)):
        if {key: run.config().get(key) for key in wanted} == wanted and run.weights.is_file():
            return SequenceReader.load(run.root), run, len(half)
    reader = _trained(half, config, "training the judge of whole captchas", progress)
    run = Run.create(workspace.models, KIND, None, wanted)
    facts: dict[str, Any] = {**reader.facts.metadata(), "data": data.texts.info}
    save_weights(run.weights, reader.network.state_dict(), facts)
    return reader, run, len(half)


def _trained(data: TextSet, config: SequenceConfig, what: str, progress: PhaseProgress) -> SequenceReader:
    """A sequence reader trained outside the workspace: no command may take it for the one to use."""
    from captcha_lab.recognise.sequence.reader import SequenceReader
    from captcha_lab.recognise.sequence.train import train

    with TemporaryDirectory() as folder:
        report = train(
            data,
            Path(folder),
            config,
            progress=lambda phase, done, total, note="": progress(what, done, total),
        )
        return SequenceReader.load(report.run.root)


def _half(training: TextSet) -> TextSet:
    import numpy as np

    rows = np.random.default_rng(SEED).permutation(len(training))[: (len(training) + 1) // 2]
    return training.take(np.sort(rows))


def _digest(data: WholeData) -> str:
    digest = hashlib.blake2b(repr(data.training.texts).encode(), digest_size=16)
    digest.update(data.images.tobytes())
    return digest.hexdigest()


def _as_texts(images: np.ndarray, texts: Sequence[str]) -> TextSet:
    """Captchas in memory as a set to train on, a tenth of them for validation."""
    import numpy as np

    from captcha_lab.store.packed.texts import TextSet

    split = (np.arange(len(images)) % 10 == 9).astype(np.uint8)
    numbers = np.arange(len(images), dtype=np.int64)
    return TextSet(list(images), tuple(texts), split, numbers, np.zeros(len(images), np.uint8))


def draws_whole(run: Run) -> bool:
    """Whether a generator's run draws whole captchas."""
    return bool(run.config().get("whole"))
