"""Import: copy images that are there already, and the labels they bring, into a dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from captcha_lab.alphabet import THESIS_ALPHABET, Alphabet
from captcha_lab.collect.exchange.item import Item
from captcha_lab.collect.exchange.items import find_items
from captcha_lab.collect.exchange.options import ImportOptions
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.blobs import BlobStore
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import Label, LabelEvent, LabelLog
from captcha_lab.store.images import decode, identify
from captcha_lab.store.workspace import DEFAULT_LENGTH, DatasetFolder, WorkspaceConfig

# Images whose rows are committed together: one fsync of the catalog each costs more than the image itself.
BATCH = 500
WRITERS = 8  # threads that wait for the disk


@dataclass
class ImportReport:
    """What an import did."""

    dataset: str
    found: int = 0
    stored: int = 0
    duplicates: int = 0  # images the dataset had already
    labelled: int = 0  # images that got at least one label they did not have
    splits: dict[str, int] = field(default_factory=dict)  # of the new images
    skipped: list[tuple[str, str]] = field(default_factory=list)  # (name, reason)
    notes: list[str] = field(default_factory=list)


def import_path(
    path: Path,
    folder: DatasetFolder,
    config: WorkspaceConfig,
    options: ImportOptions | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ImportReport:
    """Copy the images at `path` into a dataset, with their labels as events of source `import`.

    Nothing at `path` is moved, renamed or changed. What can't be read, or has a label that doesn't fit, is
    listed and the rest goes on. Running it again adds only what is missing. A label that a human gave stays.

    Args:
        progress: called with (done, total) after each image.

    Raises:
        CaptchaLabError: nothing importable is at `path`, or the disk refuses.
        UsageError: the options don't fit what is there.
    """
    items, notes = find_items(path, options or ImportOptions())
    report = ImportReport(folder.name, found=len(items), notes=notes)
    with Catalog(folder.catalog_path) as catalog:
        fit = _Fit(items, config, catalog, report)
        writer = _Writer(catalog, BlobStore(folder.blobs), report)
        for start in range(0, len(items), BATCH):
            ready = []
            for k, item in enumerate(items[start : start + BATCH], start + 1):
                ready.append(_read(item, fit))
                progress(k, len(items))
            writer.commit([r for r in ready if r is not None], path)
        fit.remember(catalog)
        catalog.add_provenance(
            "import",
            path=path.name,
            labels=(options or ImportOptions()).labels,
            stored=report.stored,
            duplicates=report.duplicates,
            labelled=report.labelled,
            skipped=len(report.skipped),
        )
    return report


class _Fit:
    """Which labels fit the dataset: an alphabet and a length, configured or taken from the labels."""

    def __init__(
        self, items: list[Item], config: WorkspaceConfig, catalog: Catalog, report: ImportReport
    ) -> None:
        self.report = report
        labelled = [i.places for i in items if i.places and not i.problem]
        self.length = self._length(Counter(map(len, labelled)), config.length or DEFAULT_LENGTH)
        self.strict = Alphabet(config.alphabet) if config.alphabet else None
        used = {c for places in labelled if len(places) == self.length for c in places if c}
        known = set(catalog.get_meta("alphabet") or "")
        used |= known
        # The thesis's alphabet wherever it suffices, so that models of several datasets share their classes.
        enough = used <= set(THESIS_ALPHABET)
        self.characters = THESIS_ALPHABET if enough else "".join(sorted(c for c in used if len(c) == 1))
        if known - set(self.characters) or (known and known != set(self.characters)):
            report.notes.append(f"The dataset's alphabet is now {self.characters}.")

    def _length(self, lengths: Counter[int], configured: int) -> int:
        if not lengths or configured in lengths:
            return configured
        length = lengths.most_common(1)[0][0]
        self.report.notes.append(
            f"The labels have {length} characters, the workspace says {configured}: put `length = {length}` in "
            "captcha-lab.toml."
        )
        return length

    def places(self, item: Item) -> tuple[str | None, ...]:
        """The item's labels, folded to the configured alphabet.

        Raises:
            CaptchaLabError: they don't fit.
        """
        if not item.places:
            return ()
        text = "".join(p or "?" for p in item.places)
        if len(item.places) != self.length:
            raise CaptchaLabError(f"its label {text!r} has {len(item.places)} characters, not {self.length}")
        if self.strict is None:
            bad = next(
                (p for p in item.places if p and (len(p) > 1 or not p.isprintable() or p.isspace())), None
            )
            if bad is not None:
                raise CaptchaLabError(f"its label holds {bad!r}, which is not one visible character")
            return item.places
        folded = tuple(self.strict.fold(p) if p else p for p in item.places)
        bad = next((p for p in folded if p and p not in self.strict), None)
        if bad is not None:
            raise CaptchaLabError(
                f"its label {text!r} holds {bad!r}, which is not in the alphabet {self.strict.characters}"
            )
        return folded

    def remember(self, catalog: Catalog) -> None:
        """Keep the alphabet with the dataset, unless the workspace's configuration rules."""
        if self.strict is None and self.report.labelled:
            catalog.set_meta("alphabet", self.characters)


@dataclass(frozen=True)
class _Ready:
    item: Item
    data: bytes
    extension: str
    size: tuple[int, int]  # width, height
    places: tuple[str | None, ...]


def _read(item: Item, fit: _Fit) -> _Ready | None:
    """The item read and checked, or None after reporting it."""
    problem = item.problem
    if not problem:
        try:
            data = item.load()
            header = identify(data)
            decode(data)
            return _Ready(item, data, header.extension, (header.width, header.height), fit.places(item))
        except CaptchaLabError as error:
            problem = str(error)
        except OSError as error:
            problem = error.strerror or str(error)
    fit.report.skipped.append((item.name, problem))
    return None


class _Writer:
    def __init__(self, catalog: Catalog, blobs: BlobStore, report: ImportReport) -> None:
        self.catalog, self.blobs, self.report = catalog, blobs, report
        self.log = LabelLog(catalog)
        self.current = dict(self.log.current())
        self.texts = self.log.text_labels()

    def commit(self, ready: list[_Ready], path: Path) -> None:
        """Store a batch: the blobs first, then all its rows in one transaction."""
        if not ready:
            return
        # Each blob is fsynced; doing that from several threads lets the file system commit them together.
        with ThreadPoolExecutor(WRITERS) as pool:
            hashes = list(pool.map(lambda r: self.blobs.put(r.data, r.extension), ready))
        events: list[LabelEvent] = []
        with self.catalog.transaction():
            for r, sha256 in zip(ready, hashes, strict=True):
                image_id, new = self.catalog.add_image(
                    sha256, r.extension, *r.size, len(r.data), r.item.split
                )
                self.catalog.add_fetch(
                    f"import:{path.name}/{r.item.name}",
                    "stored" if new else "duplicate",
                    size=len(r.data),
                    image_id=image_id,
                )
                self._count(new, r.item.split)
                events += self._label(image_id, r)
            if events:
                self.log.record("import", events)

    def _count(self, new: bool, split: str | None) -> None:
        self.report.stored += new
        self.report.duplicates += not new
        if new and split is not None:
            self.report.splits[split] = self.report.splits.get(split, 0) + 1

    def _label(self, image_id: int, r: _Ready) -> list[LabelEvent]:
        """Events for what has no label yet; a label that disagrees with one there is reported."""
        if r.places and all(r.places):
            return self._label_whole(image_id, r, "".join(p or "" for p in r.places))
        events, clash = [], False
        for position, value in enumerate(r.places):
            known = self.current.get((image_id, position))
            if value is None or (known is not None and known.value == value):
                continue
            if known is not None and known.source != "model":
                clash = True
                continue
            events.append(LabelEvent(image_id, position, value, "import"))
            self.current[image_id, position] = Label(value, "import", None, 0)
        if clash:
            kept = "".join(self.current[image_id, p].value for p in range(len(r.places)))
            text = "".join(p or "?" for p in r.places)
            self.report.skipped.append(
                (
                    r.item.name,
                    f"its label {text!r} was not taken: the same image is labelled {kept!r} already",
                )
            )
        self.report.labelled += bool(events)
        return events

    def _label_whole(self, image_id: int, r: _Ready, text: str) -> list[LabelEvent]:
        known = self.texts.get(image_id)
        if known is not None and known.value == text:
            return []
        if known is not None and known.source != "model":
            self.report.skipped.append(
                (
                    r.item.name,
                    f"its label {text!r} was not taken: the same image is labelled {known.value!r} already",
                )
            )
            return []
        self.texts[image_id] = Label(text, "import", None, 0)
        self.report.labelled += 1
        return [LabelEvent(image_id, None, text, "import")]
