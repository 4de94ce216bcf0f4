"""Import: copy pictures that are there already, and the labels they bring, into a dataset."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from captcha_lab.alphabet import Alphabet
from captcha_lab.collect.exchange.files import shown_name
from captcha_lab.collect.exchange.item import Item, Said
from captcha_lab.collect.exchange.options import ImportOptions
from captcha_lab.collect.exchange.sources import find_items
from captcha_lab.collect.frames import still
from captcha_lab.datasets.cutting import useless_because
from captcha_lab.datasets.facts import Facts, describe
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.blobs import BlobStore
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import Label, LabelEvent, LabelLog
from captcha_lab.store.images import FORMATS, OTHER_FORMATS, decode, encode, identify
from captcha_lab.store.workspace import DatasetFolder, WorkspaceConfig

# Images whose rows are committed together: one fsync of the catalog each costs more than the image itself.
BATCH = 500
WRITERS = 8  # threads that wait for the disk
_PERSON = ("human", "batch")  # sources of labels that an import does not replace

Progress = Callable[[int, int], None]


@dataclass
class ImportReport:
    """What an import did, counted in images."""

    dataset: str
    found: int = 0
    stored: int = 0
    duplicates: int = 0  # the dataset had them already
    labelled: int = 0  # got a label and had none, or only a model's
    changed: int = 0  # got another label than they had
    kept: list[tuple[str, str]] = field(default_factory=list)  # (name, why a person's label stays)
    splits: dict[str, int] = field(default_factory=dict)  # of the new images
    skipped: list[tuple[str, str]] = field(default_factory=list)  # (name, reason)
    aside: list[tuple[str, str]] = field(default_factory=list)  # (name, why a new image was set aside)
    notes: list[str] = field(default_factory=list)
    facts: Facts | None = None  # of the whole dataset


@dataclass(frozen=True)
class PlannedImage:
    """What an import would do with one image; `why` says where the label stands, or what is wrong."""

    name: str
    text: str
    split: str | None
    why: str


@dataclass(frozen=True)
class ImportPlan:
    """What an import would do, in the order it would do it."""

    images: list[PlannedImage]
    notes: list[str]


def plan_import(
    path: Path, config: WorkspaceConfig, options: ImportOptions, progress: Progress = lambda done, total: None
) -> ImportPlan:
    """Read what is at `path` as `import_path` does (see there for errors), and write nothing."""
    items, notes = find_items(path, options)
    images = []
    for k, item in enumerate(items, 1):
        ready = _read(item, config, options)
        if isinstance(ready, str):
            images.append(PlannedImage(item.name, "", item.said.split, f"not taken: {ready}"))
        else:
            why = f"no label: {ready.said.doubt}" if ready.said.doubt else ready.said.why
            why = f"to be set aside, {ready.useless}" if ready.useless else why
            images.append(PlannedImage(item.name, ready.said.shown, item.said.split, why))
        progress(k, len(items))
    return ImportPlan(images, notes)


def import_path(
    path: Path,
    folder: DatasetFolder,
    config: WorkspaceConfig,
    options: ImportOptions | None = None,
    progress: Progress = lambda done, total: None,
) -> ImportReport:
    """Copy the images at `path` into a dataset, with their labels as events of source `import`.

    Nothing at `path` is moved, renamed or changed. What can't be read, or has a label that can't be one, is listed
    and the rest goes on. Running it again adds what is missing and corrects labels that were imported; a label
    that a person gave stays, unless `options.replace`.

    Args:
        progress: called with (done, total) after each image.

    Raises:
        CaptchaLabError: nothing importable is at `path`, or the disk refuses.
        UsageError: the options don't fit what is there.
    """
    options = options or ImportOptions()
    items, notes = find_items(path, options)
    report = ImportReport(folder.name, found=len(items), notes=notes)
    with Catalog(folder.catalog_path) as catalog:
        writer = _Writer(catalog, BlobStore(folder.blobs), report, shown_name(path.name)[0], options.replace)
        for start in range(0, len(items), BATCH):
            ready = []
            for k, item in enumerate(items[start : start + BATCH], start + 1):
                read = _read(item, config, options)
                if isinstance(read, str):
                    report.skipped.append((item.name, read))
                else:
                    ready.append(read)
                progress(k, len(items))
            writer.commit(ready)
        writer.set_aside()
        report.facts = describe(catalog)
        counts = {"stored": report.stored, "duplicates": report.duplicates, "labelled": report.labelled}
        counts |= {"changed": report.changed, "kept": len(report.kept), "skipped": len(report.skipped)}
        catalog.add_provenance("import", path=writer.source, labels=options.labels, **counts)
    return report


@dataclass(frozen=True)
class _Ready:
    name: str
    data: bytes
    extension: str
    size: tuple[int, int]  # width, height
    useless: str  # why nobody could read it
    original: str  # as in `Item`
    said: Said


def _read(item: Item, config: WorkspaceConfig, options: ImportOptions) -> _Ready | str:
    """The item read and checked, or why it can't be imported."""
    if item.problem:
        return item.problem
    try:
        data = still(item.load(), options.frame)
        picture = identify(data, formats=FORMATS | OTHER_FORMATS)
        pixels, _ = picture.decode()
        if (
            picture.extension in OTHER_FORMATS.values()
        ):  # no browser shows them, so no other command expects them
            data = encode(pixels)
            picture = identify(data)
    except CaptchaLabError as error:
        return str(error)
    said = _folded(item.said, config.alphabet)
    size = picture.width, picture.height
    return _Ready(item.name, data, picture.extension, size, useless_because(pixels), item.original, said)


def _folded(said: Said, alphabet: str) -> Said:
    """The label in the configured alphabet; one that does not fit is a doubt."""
    if not alphabet or (said.text is None and not said.places):
        return said
    configured = Alphabet(alphabet)
    text = None if said.text is None else configured.fold(said.text)
    places = tuple(p and configured.fold(p) for p in said.places)
    bad = next((c for c in (*(text or ""), *filter(None, places)) if c not in configured), None)
    if bad is None:
        return replace(said, text=text, places=places)
    doubt = f"its label {said.shown!r} holds {bad!r}, which is not in the configured alphabet {alphabet}"
    return replace(said, text=None, places=(), doubt=doubt)


class _Writer:
    def __init__(
        self, catalog: Catalog, blobs: BlobStore, report: ImportReport, source: str, replaces: bool
    ) -> None:
        self.catalog, self.blobs, self.report = catalog, blobs, report
        self.source, self.replaces = source, replaces
        self.log = LabelLog(catalog)
        self.rows = {row.sha256: row for aside in (False, True) for row in catalog.images(aside=aside)}
        self.texts = self.log.text_labels()
        self.places: dict[int, dict[int, Label]] = {}
        for (image_id, position), label in self.log.current().items():
            self.places.setdefault(image_id, {})[position] = label
        self.useless: dict[int, tuple[str, str]] = {}  # new image id -> (name, why nobody could read it)
        self.given: dict[int, tuple[str, str]] = {}  # image id -> (name, label) of this import

    def commit(self, ready: list[_Ready]) -> None:
        """Store a batch: the blobs first, then all its rows in one transaction."""
        if not ready:
            return
        ready = [self._as_received(r) for r in ready]
        # Each blob is fsynced; doing that from several threads lets the file system commit them together.
        with ThreadPoolExecutor(WRITERS) as pool:
            hashes = list(pool.map(lambda r: self.blobs.put(r.data, r.extension), ready))
        events: list[LabelEvent] = []
        with self.catalog.transaction():
            for r, sha256 in zip(ready, hashes, strict=True):
                image_id, new = self.catalog.add_image(
                    sha256, r.extension, *r.size, len(r.data), r.said.split
                )
                self.catalog.add_fetch(
                    f"import:{self.source}/{r.name}",
                    "stored" if new else "duplicate",
                    size=len(r.data),
                    image_id=image_id,
                )
                self._count(new, r.said.split)
                if new and r.useless:
                    self.useless[image_id] = r.name, r.useless
                events += self._label(image_id, r)
            if events:
                self.log.record("import", events)

    def set_aside(self) -> None:
        """Take new pictures that nobody can read out of use, whatever a list says that they show.

        Where they are the most, this is no collection of captchas with a few mistakes: they stay, and it is said.
        """
        if len(self.useless) > 0.5 * self.report.stored:
            name, why = next(iter(self.useless.values()))
            self.report.notes.append(
                f"{len(self.useless)} of {self.report.stored} new images can't be read by anybody, such as {name} "
                f"({why}); as they are the most, they were kept. `captcha-lab drop NAME` sets images aside."
            )
            return
        for image_id, (name, why) in self.useless.items():
            self.catalog.set_aside([image_id], why)
            self.report.aside.append((name, f"set aside, {why}; `captcha-lab drop --undo` puts it back"))

    def _as_received(self, r: _Ready) -> _Ready:
        """With the bytes of the image that the dataset has already, where an export of it gives only the pixels."""
        row = self.rows.get(r.original)
        if row is None:
            return r
        try:
            data = self.blobs.get(row.sha256, row.extension)
            same = np.array_equal(decode(data), decode(r.data))
        except CaptchaLabError:
            return r
        return replace(r, data=data, extension=row.extension) if same else r

    def _count(self, new: bool, split: str | None) -> None:
        self.report.stored += new
        self.report.duplicates += not new
        if new and split is not None:
            self.report.splits[split] = self.report.splits.get(split, 0) + 1

    def _label(self, image_id: int, r: _Ready) -> list[LabelEvent]:
        """The events that bring an image's label up to what the source says."""
        said = r.said
        if said.doubt:
            self.report.skipped.append((r.name, f"imported without a label: {said.doubt}"))
        if said.doubt or (said.text is None and not any(p is not None for p in said.places)):
            return []
        if image_id in self.given:
            name, label = self.given[image_id]
            if label != said.shown:
                reason = (
                    f"its label {said.shown!r} was not taken: {name} is the same image, labelled {label!r}"
                )
                self.report.skipped.append((r.name, reason))
            return []
        self.given[image_id] = r.name, said.shown
        known = self._known(image_id)
        events = self._events(image_id, said)
        if not events:
            return []
        if not self.replaces and self._contradicts_a_person(image_id, said):
            reason = f"a person's label {known!r} stays against {said.shown!r}; --replace takes the import's"
            self.report.kept.append((r.name, reason))
            return []
        text, places = self.texts.get(image_id), self.places.get(image_id, {})
        changed = any(old.source != "model" for old in (*places.values(), *([text] if text else [])))
        self.report.changed += changed
        self.report.labelled += not changed
        return events

    def _events(self, image_id: int, said: Said) -> list[LabelEvent]:
        """What differs from the labels there are; what only a model said never counts as the same."""

        def differs(old: Label | None, value: str) -> bool:
            return old is None or old.value != value or old.source == "model"

        if said.text is not None:
            differ = differs(self.texts.get(image_id), said.text)
            return [LabelEvent(image_id, None, said.text, "import")] if differ else []
        places = self.places.get(image_id, {})
        return [
            LabelEvent(image_id, position, value, "import")
            for position, value in enumerate(said.places)
            if value is not None and differs(places.get(position), value)
        ]

    def _contradicts_a_person(self, image_id: int, said: Said) -> bool:
        text = self.texts.get(image_id)
        places = {p: old.value for p, old in self.places.get(image_id, {}).items() if old.source in _PERSON}
        if said.text is None:
            return any(
                places.get(p, value) != value for p, value in enumerate(said.places) if value is not None
            )
        if text is not None and text.source in _PERSON:
            return text.value != said.text
        return any(said.text[p : p + 1] != value for p, value in places.items())

    def _known(self, image_id: int) -> str:
        if image_id in self.texts:
            return self.texts[image_id].value
        places = {p: old.value for p, old in self.places.get(image_id, {}).items()}
        return Said(places=tuple(places.get(p) for p in range(max(places, default=-1) + 1))).shown
