"""Generators of whole captchas: read as asked, what a reader learns from them alone, and whether they help a reader.

For each set and seed a generator is trained for so many seconds on all labelled captchas but 208 that are held out,
and measured as `captcha-lab eval` does, beside real captchas. With --augment another one learns from the training part
of 100 labelled captchas only, and a reader that learns from these 100 is compared with one that learns from them and
from generated ones as well; both start from the base reader and see nothing else.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from captcha_lab.cli.output import say, table
from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.generators.core import Evaluator
from captcha_lab.generate.choose import Choice
from captcha_lab.generate.players.streams import ArrayStream
from captcha_lab.generate.sampling.sample import Generator, load_generator
from captcha_lab.generate.training.config import GeneratorConfig
from captcha_lab.generate.training.train import train as train_generator
from captcha_lab.generate.watching.pictures import grid, save_picture
from captcha_lab.generate.watching.quality import TextQuality
from captcha_lab.metrics.intervals import share_of, spread
from captcha_lab.pipeline.evaluation.candidates import run_candidate
from captcha_lab.pipeline.evaluation.whole import real_captchas, text_judge
from captcha_lab.pipeline.whole import WholeData, stacked
from captcha_lab.progress import no_progress
from captcha_lab.recognise.sequence.config import SequenceConfig
from captcha_lab.recognise.sequence.reader import SequenceReader
from captcha_lab.recognise.sequence.train import train as train_reader
from captcha_lab.store.packed.texts import TextSet
from captcha_lab.store.runs import Run
from captcha_lab.store.workspace import Workspace
from scripts.benchmarks._machine import facts, shared_data
from scripts.benchmarks.texts import TEST, captchas, split

FEW = 100  # labelled captchas, where a reader could do with more
PICTURE = 8, 5  # captchas across and down
KEYS = "texts", "characters", "text_train", "frechet", "recall", "coverage", "neighbour"


def generator_of(data: WholeData, workspace: Workspace, options: argparse.Namespace, seed: int) -> Run:
    """A generator trained for the asked seconds; a reader of the same captchas chooses the weights."""
    reader = reader_of(data.texts, workspace, seed)
    real = stacked(data.texts.part("validation"), data.image_shape)
    recipe = data.recipe(Choice(changes=tuple(options.set)))
    config = GeneratorConfig(seed=seed, max_seconds=options.seconds, threads=options.threads)
    report = train_generator(
        recipe,
        ArrayStream(data.images, texts=data.training.texts, seed=seed),
        workspace.models,
        config,
        facts={"dataset": data.dataset, "whole": True},
        quality=TextQuality(reader, real, data.code),
    )
    say(f"{report.run.name}: {report.iterations} iterations in {report.seconds:.0f} s, {report.figures}")
    return Run.open(report.run)


def reader_of(texts: TextSet, workspace: Workspace, seed: int) -> SequenceReader:
    """A reader trained as `captcha-lab train` does, on the labelled captchas alone."""
    report = train_reader(texts, workspace.models, SequenceConfig(seed=seed, unlabelled=False))
    return SequenceReader.load(report.run.root)


def measured(data: WholeData, run: Run, workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    """The figures of `captcha-lab eval`."""
    judge, _ = text_judge(workspace, data, no_progress)
    config = EvalConfig(gan_train=not options.no_teach)
    evaluator = Evaluator(real_captchas(data), {}, config, texts=judge)
    result = evaluator.run([run_candidate(run)]).results[0]
    own = {key: result.figures[key].value for key in KEYS if key in result.figures}
    real = {f"real_{key}": result.baseline[key].value for key in KEYS if key in result.baseline}
    return {"verdict": result.verdict.sentence, **own, **real}


def augmented(name: str, seed: int, workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    """Test captchas read right by a reader of 100 labelled captchas, and by one that has generated ones as well."""
    everything = captchas(name)
    few = split(everything, FEW, seed)
    data = WholeData(workspace.dataset(name), few)
    run = generator_of(data, workspace, options, seed)
    made = with_generated(few, load_generator(run.root), options.generated, seed, len(data.image_shape) == 3)
    test = np.flatnonzero(few.split == 2).tolist()

    def right(reader: SequenceReader) -> float:
        read = [r.text for r in reader.read([few.images[k] for k in test])]
        return share_of(
            [everything.same(r, everything.texts[k]) for r, k in zip(read, test, strict=True)]
        ).value

    return {
        "labelled": FEW,
        "generated": options.generated,
        "alone": right(reader_of(few, workspace, seed)),
        "with_generated": right(reader_of(made, workspace, seed)),
    }


def with_generated(few: TextSet, generator: Generator, count: int, seed: int, colour: bool) -> TextSet:
    """The set with so many generated captchas more in its training part."""
    texts = generator.texts.draw(count, generator.lengths, seed)
    images = generator.sample(texts, seed=seed)
    return replace(
        few,
        images=[*few.images, *images],
        texts=(*few.texts, *texts),
        split=np.concatenate([few.split, np.zeros(count, np.uint8)]),
        image_ids=np.arange(len(few) + count),
        duplicate=np.zeros(len(few) + count, np.uint8),
    )


def picture(path: Path, run: Run) -> None:
    """Generated captchas of random texts; real ones may not be published with the project."""
    across, down = PICTURE
    generator = load_generator(run.root)
    made = generator.sample(generator.texts.draw(across * down, generator.lengths, 1), seed=1)
    save_picture(path, grid(made, across), 1)


def main(options: argparse.Namespace) -> None:
    """Run the asked part of the benchmark."""
    results: list[dict[str, Any]] = []
    for name in options.sets:
        if name != "mixed" and not (shared_data() / name).is_dir():
            print(f"{name}: skipped, the real data is not beside the checkout")
            continue
        everything = captchas(name)
        for seed in range(options.seeds):
            with tempfile.TemporaryDirectory() as folder:
                workspace = Workspace(Path(folder))
                if options.augment:
                    found = augmented(name, seed, workspace, options)
                else:
                    texts = split(everything, len(everything.files) - TEST, seed)
                    data = WholeData(workspace.dataset(name), texts)
                    run = generator_of(data, workspace, options, seed)
                    if options.picture:
                        picture(options.picture / f"whole-{name}.png", run)
                    found = measured(data, run, workspace, options)
                results.append({"set": name, "seed": seed, **found})
                print(json.dumps(results[-1]), flush=True)
    if not options.json:
        keys = [key for key in results[0] if key not in ("set", "seed", "verdict")] if results else []
        print(table(("set", "seeds", *keys), [_line(name, keys, results) for name in options.sets]))
    print(json.dumps({"benchmark": "whole", "machine": facts(), "results": results}))


def _line(name: str, keys: list[str], results: list[dict[str, Any]]) -> tuple[object, ...]:
    rows = [row for row in results if row["set"] == name]
    found = [spread([float(row[key]) for row in rows]) if rows else None for key in keys]
    return (name, len(rows), *(f"{s.mean:.3g} ± {s.deviation:.2g}" if s else "–" for s in found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sets", nargs="+", default=["ustc"], choices=["ustc", "words5", "digits4", "seu", "mixed"]
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="of each generator's training")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--augment", action="store_true", help="whether generated captchas help a reader")
    parser.add_argument("--generated", type=int, default=1000, help="captchas, with --augment")
    parser.add_argument("--no-teach", action="store_true", help="train no reader on samples alone")
    parser.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE", help="another recipe's field")
    parser.add_argument("--picture", type=Path, help="folder for a picture of each set")
    parser.add_argument("--json", action="store_true", help="only JSON")
    main(parser.parse_args())
