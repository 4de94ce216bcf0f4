"""`captcha-lab train-gen`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from captcha_lab.cli.output import (
    DatasetOption,
    JsonFlag,
    SeedOption,
    attributes_option,
    emit,
    names,
    progress,
    say,
    suggest,
    table,
    tell_next,
)
from captcha_lab.errors import UsageError
from captcha_lab.generate.choose import FACES, GLYPHS, Choice
from captcha_lab.generate.training.config import GeneratorConfig

EXAMPLES = (
    ("captcha-lab train-gen --loss wgan --label", "A Wasserstein GAN conditioned on the character."),
    ("captcha-lab train-gen --recipe fast --max-seconds 60", "The fast recipe for a minute."),
    ("captcha-lab train-gen --whole", "Whole captchas, text in and picture out."),
    ("captcha-lab train-gen --resume RUN", "Continue an interrupted run."),
)


def run(
    recipe: Annotated[
        str | None,
        typer.Option(
            help=f"What to train (--list names all) [default: {GLYPHS.recipe}; {FACES.recipe} for faces]."
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(help="Another loss; with no --recipe, the recipe that stands for it, which is named."),
    ] = None,
    label: Annotated[
        bool | None, typer.Option("--label/--no-label", help="Conditional on the class, or not.")
    ] = None,
    whole: Annotated[
        bool,
        typer.Option("--whole", help="Draw whole captchas from their texts, not single characters."),
    ] = False,
    update: Annotated[
        bool | None,
        typer.Option("--update/--no-update", help="The thesis's extra convolution and clip scope."),
    ] = None,
    critic_steps: Annotated[int | None, typer.Option(help="Critic steps per iteration.")] = None,
    generator_steps: Annotated[int | None, typer.Option(help="Generator steps per iteration.")] = None,
    clip: Annotated[float | None, typer.Option(help="Clip critic weights to ± this; 0 = never.")] = None,
    lr: Annotated[
        float | None,
        typer.Option("--lr", help="Learning rate; the generator's is `generator_rate` times it."),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images per step, over all processes.")] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Any other field of the recipe.")
    ] = None,
    iterations: Annotated[int | None, typer.Option(help="Length of the run [default: the recipe's].")] = None,
    epochs: Annotated[float | None, typer.Option(help="Length of the run as passes over the data.")] = None,
    max_seconds: Annotated[
        float | None, typer.Option(help="Length of the run as a time; the schedule is tied to it.")
    ] = None,
    seed: SeedOption = GeneratorConfig.seed,
    seeds: Annotated[
        int,
        typer.Option(
            min=1,
            help="Train this many seeds one after the other; names the best, and how to draw from all.",
        ),
    ] = 1,
    attribute: Annotated[
        list[str] | None,
        attributes_option("Condition on these attributes, separated by commas [default, with --label: all]."),
    ] = None,
    evaluations: Annotated[
        int, typer.Option(help="Evaluations of samples during the run.")
    ] = GeneratorConfig.evaluations,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = GeneratorConfig.device,
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = GeneratorConfig.precision,
    threads: Annotated[
        int | None, typer.Option(help="Threads of the CPU [default: one or all, whichever is faster].")
    ] = GeneratorConfig.threads,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the run [default: kind and date].")
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", help="Continue an interrupted run as it was begun; no other option can go with it."
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="List the recipes and stop.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print the recipe, both networks and the time per iteration; stop."),
    ] = False,
    dataset: DatasetOption = None,
    json: JsonFlag = False,
) -> None:
    """Train a generator of glyphs, whole captchas, digits or faces."""
    if show:
        _list(json)
        return
    from captcha_lab import pipeline

    changes = tuple(change or ())
    choice = Choice(recipe, loss, label, update, critic_steps, generator_steps, clip, lr, batch_size, changes)
    workspace, folder = pipeline.locate(dataset)
    if sum(length is not None for length in (iterations, epochs, max_seconds)) > 1:
        raise UsageError("A run's length is --iterations, --epochs or --max-seconds: choose one.")
    config = GeneratorConfig(
        seed=seed,
        iterations=iterations,
        epochs=epochs,
        max_seconds=max_seconds,
        evaluations=evaluations,
        device=device,
        precision=precision,
        threads=threads,
    )
    attributes = names(attribute)
    if dry_run:
        if dataset is not None and not folder.exists:
            raise UsageError(
                f"The workspace {workspace.root} has no dataset {dataset}: leave --dataset away to see the recipe "
                "at the size of its source."
            )
        _dry_run(
            pipeline.overview_generator(workspace, folder, choice, config, attributes, whole=whole), json
        )
        return
    if resume is not None and (choice, config, seeds, name, attributes, whole, dataset) != (
        Choice(),
        GeneratorConfig(),
        1,
        None,
        (),
        False,
        None,
    ):
        raise UsageError("--resume continues a run as it was begun: no other option can go with it.")
    with progress("Training") as bar:
        if resume is not None:
            reports = [pipeline.resume_generator(workspace, resume, say, bar.phase)]
        else:
            reports = pipeline.train_generators(
                workspace, folder, choice, config, seeds,
                name=name, attributes=attributes, whole=whole, say=say, progress=bar.phase,
            )  # fmt: skip
    best = max(reports, key=lambda report: report.figures.get("score", 0.0))
    if best.leads:
        emit(best if len(reports) == 1 else {"best": best, "runs": reports}, json, *_lines(reports, best))
    last = reports[-1]
    if last.interrupted:
        say(f"Interrupted; continue with `captcha-lab train-gen --resume {last.run.name}`.")
        raise typer.Exit(130)
    if all(report.broken for report in reports):
        raise typer.Exit(1)
    tell_next(dataset, json)


def _lines(reports: list[Any], best: Any) -> list[str]:
    lines = []
    for report in reports:
        mark = " (best)" if report is best and len(reports) > 1 else ""
        kept = f"kept iteration {report.best_iteration}" if report.best_iteration else "no weights were kept"
        lines.append(
            f"Trained {report.run.name}{mark}: {report.recipe}, {report.iterations} of {report.planned} "
            f"iterations in {report.seconds:.1f} s; {kept}."
        )
        figures = ", ".join(f"{key} {value:.3f}" for key, value in report.figures.items())
        lines += [f"  {figures}"] if figures else []
        lines += [f"  {report.verdict}"]
        lines += [f"  Alarm at iteration {alarm.iteration}: {alarm.message}" for alarm in report.alarms]
    pictures = ("progress.gif", "progress.png", "curves.png", "critic_weights.png")
    drawn = [name for name in pictures if (best.run / name).is_file()]
    if len(reports) > 1:
        every = " ".join(f"--model {report.run.name}" for report in reports if report.best_iteration)
        lines.append(f"Draw from all of them: captcha-lab generate {every}")
    return [*lines, *([f"Pictures in {best.run}: {', '.join(drawn)}."] if drawn else [])]


def _list(json: bool) -> None:
    from captcha_lab.generate.recipes import reached, recipes

    figures = reached()
    rows = [(r.name, r.summary, r.source, figures.get(r.name, "")) for r in recipes().values()]
    rows.sort(
        key=lambda row: not row[3]
    )  # a newcomer picks by what a recipe reached: those measured come first
    keys = ("name", "summary", "source", "reached")
    emit(
        {"recipes": [dict(zip(keys, row, strict=True)) for row in rows]},
        json,
        table(("recipe", "what it is", "source", "what it reached"), rows),
    )
    suggest(
        "captcha-lab train-gen --recipe NAME --dry-run",
        "a recipe's networks, and how long it takes here",
        json,
    )


def _dry_run(made: Any, json: bool) -> None:
    fields = made.recipe.as_json()
    lines = [f"{key:22} {value}" for key, value in fields.items() if value not in ("", None)]
    for name in made.parameters:
        rows = [(layer.name, layer.kind, "x".join(map(str, layer.shape)), f"{layer.parameters:,}")
                for layer in getattr(made, name)]  # fmt: skip
        title = f"{name}: {made.totals[name]:,} parameters, {made.parameters[name]:,} trainable"
        lines += ["", table(("layer", "kind", "output", "parameters"), rows, title)]
    how = f"{made.threads} thread{'s' if made.threads > 1 else ''}, {made.precision}"
    lines += ["", f"One iteration takes {1000 * made.seconds_per_iteration:.1f} ms here ({how})."]
    emit(made, json, *lines)
    suggest(f"captcha-lab train-gen --recipe {made.recipe.name}", "trains it", json)
