"""Export: write a dataset's captchas and labels in a form other programs, and `import`, read."""

from __future__ import annotations

import csv
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from captcha_lab.collect.exchange.item import SPLIT_FOLDERS, UNLABELLED_FOLDER, UNREADABLE_FOLDER
from captcha_lab.collect.exchange.options import FORMATS
from captcha_lab.datasets.facts import alphabet_of
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.store.blobs import BlobStore
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog
from captcha_lab.store.catalog.rows import ImageRow
from captcha_lab.store.images import FORMATS as PICTURE_FORMATS
from captcha_lab.store.images import decode
from captcha_lab.store.workspace import DatasetFolder

MAX_NAME = 255  # bytes of a file's or folder's name
_IN_NAMES = ("folders", "filenames")  # formats that hold the text in a name


@dataclass
class ExportReport:
    """What an export wrote, counted in captchas."""

    path: Path
    format: str
    captchas: int = 0
    labelled: int = 0  # with a whole text
    partial: int = (
        0  # labelled in part: without a text, their places only where the format has a column for them
    )
    unreadable: int = 0  # marked as such that no person can read; unlabelled where the format can't say so
    skipped: list[tuple[str, str]] = field(default_factory=list)  # (captcha, why its bytes can't be read)

    def count(self, captcha: _Captcha) -> None:
        """Add one captcha."""
        self.captchas += 1
        self.labelled += bool(captcha.text)
        self.unreadable += captcha.text == ""
        partial = captcha.text is None and any(p is not None for p in captcha.places)
        self.partial += partial and self.format != "jsonl"


@dataclass(frozen=True)
class _Captcha:
    """One captcha to write: its text (None: unlabelled, "": no person can read it), and the labels of its places."""

    image: ImageRow
    text: str | None
    places: tuple[str | None, ...]
    data: bytes

    @property
    def number(self) -> str:
        return f"{self.image.id:06d}.{self.image.extension}"


def export_dataset(
    folder: DatasetFolder,
    target: Path,
    format: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ExportReport:
    """Write all captchas of a dataset into the new or empty folder `target`, whole or not at all.

    `folders`, `filenames`, `csv` and `jsonl` hold the images' own bytes; `mat` and `h5` their pixels.
    Characters other than letters and digits stand in names of files and folders as %XX. A captcha of which only
    some places are labelled has no text, in any format; pictures set aside are left out. Damaged ones are listed, and
    those whose text makes no name.

    Raises:
        UsageError: there is no such format.
        CaptchaLabError: the dataset is empty or damaged, the target holds something, or the disk refuses.
    """
    if format not in FORMATS:
        raise UsageError(f"--format {format}: choose one of {', '.join(FORMATS)}.")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CaptchaLabError(f"{target} is not an empty folder: give a new one, nothing is overwritten.")
    with Catalog(folder.catalog_path, create=False) as catalog:
        rows = catalog.images()
        if not rows:
            raise CaptchaLabError(
                f"The dataset {folder.name} holds no captchas: scrape or import some first."
            )
        alphabet = alphabet_of(catalog).characters
        log = LabelLog(catalog)
        texts = {image_id: label.value for image_id, label in log.text_labels().items()}
        places: dict[int, dict[int, str]] = {}
        for (image_id, position), label in log.current().items():
            places.setdefault(image_id, {})[position] = label.value
        cells_of = {image_id: len(cells) for image_id, cells in catalog.cuts().items()}
    report = ExportReport(target, format)
    blobs = BlobStore(folder.blobs)

    def captchas() -> Iterator[_Captcha]:
        for k, row in enumerate(rows, 1):
            progress(k, len(rows))
            try:
                data = _bytes(row, blobs, decoded=format in ("mat", "h5"))
            except CaptchaLabError as error:
                report.skipped.append((f"captcha {row.id}", str(error)))
                continue
            text, known = texts.get(row.id), places.get(row.id, {})
            cells = max(max(known, default=-1) + 1, cells_of.get(row.id, 0) if known else 0)
            own = tuple(text) if text else tuple(known.get(p) for p in range(cells))
            captcha = _Captcha(row, text, own, data)
            if format in _IN_NAMES and len(_quoted(text or "")) + len(captcha.number) >= MAX_NAME:
                why = "its text makes a name longer than file systems take: --format csv or jsonl keeps it"
                report.skipped.append((f"captcha {row.id}", why))
                continue
            report.count(captcha)
            yield captcha

    with _whole_folder(target) as temporary:
        if format in ("mat", "h5"):
            _write_arrays(captchas(), alphabet, temporary / f"captchas.{format}")
        else:
            _WRITERS[format](captchas(), temporary)
    return report


def _bytes(row: ImageRow, blobs: BlobStore, *, decoded: bool) -> bytes:
    """The bytes of an image; a catalog may come from a stranger, so whatever becomes a path is looked at."""
    known = row.extension in PICTURE_FORMATS.values() and re.fullmatch(r"[0-9a-f]{64}", row.sha256)
    if not known or row.split not in (None, *SPLIT_FOLDERS.values()):
        raise CaptchaLabError(
            f"the catalog's entry is forged (its name is {row.sha256[:70]!r}, its format {row.extension[:70]!r}, "
            f"its split {row.split!r}): it was left out"
        )
    data = blobs.get(row.sha256, row.extension)
    if decoded:
        decode(data)
    return data


@contextmanager
def _whole_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside `target` that becomes it when the block ends well, else vanishes."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".tmp-", dir=target.parent))
        try:
            temporary.chmod(0o755)
            yield temporary
            temporary.rename(target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    except OSError as error:
        raise CaptchaLabError(
            f"Can't write {target}: {error.strerror or error}. Free space or choose another folder; "
            "nothing was left there."
        ) from error


def _write_folders(captchas: Iterable[_Captcha], target: Path) -> None:
    for c in captchas:
        name = UNREADABLE_FOLDER if c.text == "" else _quoted(c.text or "") or UNLABELLED_FOLDER
        _write(target / (c.image.split or "") / name / c.number, c.data)


def _write_filenames(captchas: Iterable[_Captcha], target: Path) -> None:
    for c in captchas:
        _write(target / (c.image.split or "") / f"{_quoted(c.text or '')}_{c.number}", c.data)


def _write_csv(captchas: Iterable[_Captcha], target: Path) -> None:
    with (target / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("file", "text", "split", "unreadable"))
        for c in captchas:
            _write(target / "images" / c.number, c.data)
            rows.writerow((f"images/{c.number}", c.text or "", c.image.split or "", int(c.text == "") or ""))


def _write_jsonl(captchas: Iterable[_Captcha], target: Path) -> None:
    with (target / "labels.jsonl").open("w", encoding="utf-8") as file:
        for c in captchas:
            _write(target / "images" / c.number, c.data)
            row = {
                "file": f"images/{c.number}",
                "text": c.text or None,
                "labels": c.places,
                "unreadable": c.text == "",
                "split": c.image.split,
                "sha256": c.image.sha256,
                "width": c.image.width,
                "height": c.image.height,
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_arrays(captchas: Iterable[_Captcha], alphabet: str, path: Path) -> None:
    from captcha_lab.collect.exchange.arrays import CaptchaArrays, write_h5, write_mat

    kept = [(decode(c.data), c.text, c.image.split or "", c.image.sha256) for c in captchas]
    images, texts, splits, originals = zip(*kept, strict=True) if kept else ((), (), (), ())
    data = CaptchaArrays(images, texts, splits, alphabet, originals)
    (write_mat if path.suffix == ".mat" else write_h5)(path, data)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _quoted(text: str) -> str:
    """A name that no file system takes amiss; `_` and `.` too, which mean something in these names."""
    return "".join(c if c.isascii() and c.isalnum() else quote(c, safe="") for c in text).translate(
        {ord("_"): "%5F", ord("."): "%2E", ord("-"): "%2D", ord("~"): "%7E"}
    )


_WRITERS: dict[str, Callable[[Iterable[_Captcha], Path], None]] = {
    "folders": _write_folders,
    "filenames": _write_filenames,
    "csv": _write_csv,
    "jsonl": _write_jsonl,
}
