"""Export: write a dataset's captchas and labels in a form other programs, and `import`, read."""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from captcha_lab.alphabet import THESIS_ALPHABET
from captcha_lab.collect.exchange.items import UNLABELLED_FOLDER
from captcha_lab.collect.exchange.options import FORMATS
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.store.blobs import BlobStore
from captcha_lab.store.catalog.catalog import Catalog, ImageRow
from captcha_lab.store.catalog.labels import LabelLog
from captcha_lab.store.images import decode
from captcha_lab.store.workspace import DatasetFolder


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote."""

    path: Path
    format: str
    captchas: int
    labelled: int  # captchas with at least one label
    partial: int  # of those, captchas whose missing labels the format can't express: written as unlabelled


@dataclass(frozen=True)
class _Captcha:
    image: ImageRow
    places: tuple[str | None, ...]  # as `items.Item.places`
    whole: bool  # whether they are the whole text
    blobs: BlobStore

    @property
    def text(self) -> str:
        """The whole text, "" unless every place has a character."""
        return "".join(p for p in self.places if p) if self.whole else ""

    @property
    def data(self) -> bytes:
        return self.blobs.get(self.image.sha256, self.image.extension)

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
    Characters other than letters and digits stand in names of files and folders as %XX.

    Raises:
        UsageError: there is no such format.
        CaptchaLabError: the dataset is empty or damaged, the target holds something, or the disk refuses.
    """
    if format not in FORMATS:
        raise UsageError(f"--format {format}: choose one of {', '.join(FORMATS)}.")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CaptchaLabError(f"{target} is not an empty folder: give a new one, nothing is overwritten.")
    with Catalog(folder.catalog_path, create=False) as catalog:
        captchas = _captchas(catalog, BlobStore(folder.blobs))
        alphabet = catalog.get_meta("alphabet") or ""
    if not captchas:
        raise CaptchaLabError(f"The dataset {folder.name} holds no captchas: scrape or import some first.")
    with _whole_folder(target) as temporary:
        if format in ("mat", "h5"):
            _write_arrays(captchas, alphabet, temporary / f"captchas.{format}", progress)
        else:
            _WRITERS[format](captchas, temporary, progress)
    labelled = [c for c in captchas if any(p is not None for p in c.places)]
    partial = 0 if format == "jsonl" else sum(not c.text for c in labelled)
    return ExportReport(target, format, len(captchas), len(labelled), partial)


def _captchas(catalog: Catalog, blobs: BlobStore) -> list[_Captcha]:
    values: dict[int, dict[int, str]] = {}
    for (image_id, position), label in LabelLog(catalog).current().items():
        values.setdefault(image_id, {})[position] = label.value
    texts, cuts = LabelLog(catalog).texts(), catalog.cuts()
    captchas = []
    for image in catalog.images():
        known = values.get(image.id, {})
        cells = max(max(known, default=-1) + 1, len(cuts.get(image.id, ())) if known else 0)
        places: tuple[str | None, ...] = tuple(texts.get(image.id, "")) or tuple(
            known.get(p) for p in range(cells)
        )
        captchas.append(_Captcha(image, places, image.id in texts, blobs))
    return captchas


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


def _write_folders(captchas: list[_Captcha], target: Path, progress: Callable[[int, int], None]) -> None:
    for k, c in enumerate(captchas, 1):
        _write(target / (c.image.split or "") / (_quoted(c.text) or UNLABELLED_FOLDER) / c.number, c.data)
        progress(k, len(captchas))


def _write_filenames(captchas: list[_Captcha], target: Path, progress: Callable[[int, int], None]) -> None:
    for k, c in enumerate(captchas, 1):
        _write(target / (c.image.split or "") / f"{_quoted(c.text)}_{c.number}", c.data)
        progress(k, len(captchas))


def _write_csv(captchas: list[_Captcha], target: Path, progress: Callable[[int, int], None]) -> None:
    _write_images(captchas, target, progress)
    with (target / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("file", "text", "split"))
        rows.writerows((f"images/{c.number}", c.text, c.image.split or "") for c in captchas)


def _write_jsonl(captchas: list[_Captcha], target: Path, progress: Callable[[int, int], None]) -> None:
    _write_images(captchas, target, progress)
    with (target / "labels.jsonl").open("w", encoding="utf-8") as file:
        for c in captchas:
            row = {
                "file": f"images/{c.number}",
                "text": c.text or None,
                "labels": c.places,
                "split": c.image.split,
                "sha256": c.image.sha256,
                "width": c.image.width,
                "height": c.image.height,
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_images(captchas: list[_Captcha], target: Path, progress: Callable[[int, int], None]) -> None:
    for k, c in enumerate(captchas, 1):
        _write(target / "images" / c.number, c.data)
        progress(k, len(captchas))


def _write_arrays(
    captchas: list[_Captcha], alphabet: str, path: Path, progress: Callable[[int, int], None]
) -> None:
    from captcha_lab.collect.exchange.arrays import CaptchaArrays, write_h5, write_mat

    images = []
    for k, c in enumerate(captchas, 1):
        images.append(decode(c.data))
        progress(k, len(captchas))
    texts = [c.text for c in captchas]
    used = set("".join(texts))
    known = alphabet if used <= set(alphabet) else ""
    characters = known or (THESIS_ALPHABET if used <= set(THESIS_ALPHABET) else "".join(sorted(used)))
    data = CaptchaArrays(images, texts, [c.image.split or "" for c in captchas], characters)
    (write_mat if path.suffix == ".mat" else write_h5)(path, data)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _quoted(text: str) -> str:
    """A name that no file system takes amiss; `_` and `.` too, which mean something in these names."""
    return "".join(c if c.isascii() and c.isalnum() else quote(c, safe="") for c in text).translate(
        {ord("_"): "%5F", ord("."): "%2E", ord("-"): "%2D", ord("~"): "%7E"}
    )


_WRITERS: dict[str, Callable[[list[_Captcha], Path, Callable[[int, int], None]], None]] = {
    "folders": _write_folders,
    "filenames": _write_filenames,
    "csv": _write_csv,
    "jsonl": _write_jsonl,
}
