"""What a workspace holds, and the command that would come next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from captcha_lab.pipeline.models import RunFacts, choose_run, list_runs
from captcha_lab.store.care.check import dataset_folders
from captcha_lab.store.workspace import DatasetFolder, Workspace

SHOWN = 3  # sizes and lengths that are named; of more, how many there are


@dataclass(frozen=True)
class DatasetStatus:
    """One dataset: `labelled` counts pictures with a text or class, `bytes` all files of its folder.

    Attributes:
        kind: "captchas", or "pictures" that `prepare` packed.
        lengths: characters of the labelled texts, as `4` or `4 to 6`; empty for pictures.
        alphabet: the characters of all labels; for pictures how many classes and attributes they have.
        size: in pixels, as `160x60`.
    """

    name: str
    kind: str
    pictures: int
    labelled: int
    aside: int
    lengths: str
    alphabet: str
    size: str
    bytes: int


@dataclass(frozen=True)
class Step:
    """A command, and why it would come next."""

    command: str
    why: str

    def __str__(self) -> str:
        return f"Next: {self.command}  ({self.why})"


@dataclass(frozen=True)
class Status:
    """A workspace: its datasets, its runs (the newest first), and the next step for the configured dataset."""

    workspace: Path
    datasets: list[DatasetStatus]
    runs: list[RunFacts]
    next: Step


def describe_workspace(workspace: Workspace) -> Status:
    """Everything that a workspace holds (see `describe_dataset` for errors)."""
    found = [describe_dataset(folder) for folder in dataset_folders(workspace)]
    step = next_step(workspace, workspace.dataset())
    return Status(workspace.root, [entry for entry in found if entry is not None], list_runs(workspace), step)


def describe_dataset(folder: DatasetFolder) -> DatasetStatus | None:
    """One dataset; None where its folder holds nothing that is one.

    Raises:
        CaptchaLabError: its catalog or packed file is damaged.
    """
    total = sum(path.stat().st_size for path in folder.root.rglob("*") if path.is_file())
    if folder.catalog_path.exists():
        from captcha_lab.datasets.facts import describe
        from captcha_lab.store.catalog.catalog import Catalog

        with Catalog(folder.catalog_path, create=False) as catalog:
            facts = describe(catalog)
        lengths = list(facts.lengths)
        span = (
            "" if not lengths else str(lengths[0]) if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}"
        )
        sizes = [f"{width}x{height}" for width, height in facts.sizes]
        return DatasetStatus(
            folder.name, "captchas", facts.captchas, facts.labelled, facts.aside, span, facts.alphabet,
            ", ".join(sizes[:SHOWN]) + (f" and {len(sizes) - SHOWN} more" if len(sizes) > SHOWN else ""), total,
        )  # fmt: skip
    if not folder.packed_path.exists():
        return None
    from captcha_lab.store.packed.packed import UNLABELLED, open_packed

    with open_packed(folder.packed_path) as (_, columns):
        labels = None if columns.labels is None else columns.labels[()]
        labelled = 0 if labels is None else int((labels != UNLABELLED).sum())
        parts = [
            f"{len(names)} {what}"
            for names, what in ((columns.classes, "classes"), (columns.attribute_names, "attributes"))
            if names
        ]
        height, width = columns.images.shape[1:3]
        return DatasetStatus(
            folder.name,
            "pictures",
            len(columns.images),
            labelled,
            0,
            "",
            ", ".join(parts),
            f"{width}x{height}",
            total,
        )


def next_step(workspace: Workspace, folder: DatasetFolder) -> Step:
    """What would come next for a dataset: data, labels, a recogniser, a generator, an evaluation, use."""
    named = "" if folder.name == workspace.config.dataset else f" --dataset {folder.name}"
    facts = describe_dataset(folder)
    if facts is None or not facts.pictures:
        return Step(
            f"captcha-lab scrape{named}",
            "there are no captchas yet; or `captcha-lab import PATH` for pictures that you have",
        )
    if facts.kind == "captchas":
        if not facts.labelled:
            return Step(
                f"captcha-lab label --review{named}", f"none of {facts.pictures} captchas is labelled"
            )
        reader = _own(workspace, "recogniser", folder.name)
        if reader is None:
            return Step(
                f"captcha-lab train{named}", f"{facts.labelled} of {facts.pictures} captchas are labelled"
            )
    generator = _own(workspace, "generator", folder.name)
    if generator is None:
        return Step(f"captcha-lab train-gen{named}", "there is no generator yet")
    if not any(path.is_file() for path in (workspace.models / generator).rglob("report.html")):
        return Step(f"captcha-lab eval{named}", f"{generator} has not been evaluated")
    if facts.kind == "captchas":
        return Step(
            "captcha-lab read FILE", f"read captchas; or `captcha-lab audit{named}`, how weak they are"
        )
    return Step(f"captcha-lab generate --model {generator}", "draw samples")


def _own(workspace: Workspace, kind: str, dataset: str) -> str | None:
    """The run in use of a kind, if it was trained on this dataset."""
    from captcha_lab.pipeline.models import dataset_of

    chosen = choose_run(workspace, kind, dataset)
    return chosen.run.name if chosen is not None and dataset_of(chosen.run) in ("", dataset) else None
