"""CelebA: aligned faces of 178x218 pixels with 40 attributes (Liu et al., Deep Learning Face Attributes, 2015).

For non-commercial research only; nothing of it comes with captcha-lab.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from captcha_lab.datasets.archive import Archive
from captcha_lab.datasets.base import PrepareOptions, PrepareReport, Progress, random_split
from captcha_lab.datasets.batches import attribute_columns
from captcha_lab.datasets.packing import PictureJob, pack_pictures
from captcha_lab.datasets.pictures import PICTURE_EXTENSIONS, Framing
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.store.files import read_file

SIZE = 128  # pixels a side, as in the thesis
CROP = "148"  # the face with its hair, without most of the background
ALIGNED = (178, 218)  # width, height of every aligned picture
ATTRIBUTES, PARTITION, IDENTITY = "list_attr_celeba.txt", "list_eval_partition.txt", "identity_CelebA.txt"
PICTURES = "img_align_celeba"
HELD_OUT = 0.05  # share of each of validation and test, where there is no partition file
_VALUES = {"1": 1, "-1": 0}


@dataclass
class Table:
    """A text file with one row per picture: values int64 [N, columns], and what was wrong with it."""

    rows: dict[str, int]
    values: np.ndarray
    names: tuple[str, ...] = ()
    bad: dict[str, str] = field(default_factory=dict)  # picture -> reason
    notes: list[str] = field(default_factory=list)


class CelebA:
    """The official layout, as a folder or as one zip archive."""

    name = "celeba"
    summary = f"folder or zip in the official layout ({PICTURES}, {ATTRIBUTES}, {PARTITION}, {IDENTITY})"
    embedded: str | None = None
    options: tuple[str, ...] = ("size", "crop", "attributes", "grey")
    embedded_options: tuple[str, ...] = ()

    def prepare(
        self, source: Path | None, target: Path, options: PrepareOptions, progress: Progress
    ) -> PrepareReport:
        """See `DatasetModule.prepare`; attributes, partition and identities may be missing."""
        if source is None:
            raise UsageError(f"`prepare celeba` needs a PATH: {self.summary}.")
        pictures, texts = locate(source)
        with Archive(pictures) as archive:
            return pack_pictures(_job(archive, texts, options), target, options, progress)


def locate(source: Path) -> tuple[Path, dict[str, str]]:
    """Where the pictures are (folder or zip), and the text files that were found, by their official name.

    Raises:
        CaptchaLabError: a text file or the archive can't be read.
    """
    pictures = source
    places = [source if source.is_dir() else source.parent]
    if source.is_dir():
        # The official download has the folders Img, Anno and Eval; copies often lie flat.
        places += [child for child in sorted(source.iterdir()) if child.is_dir() and child.name != PICTURES]
        found = [p / name for p in places for name in (PICTURES, f"{PICTURES}.zip") if (p / name).exists()]
        if found:
            pictures = found[0]
        else:
            places.append(source.parent)  # PATH is the folder of pictures itself
    texts: dict[str, str] = {}
    for name in (ATTRIBUTES, PARTITION, IDENTITY):
        path = next((p / name for p in places if (p / name).is_file()), None)
        if path is not None:
            texts[name] = _text(path, partial(read_file, path))
    if pictures.is_file():
        with Archive(pictures) as archive:
            for name in archive.names:
                base = PurePosixPath(name).name
                if base in (ATTRIBUTES, PARTITION, IDENTITY) and base not in texts:
                    texts[base] = _text(pictures / name, partial(archive.read, name))
    return pictures, texts


def read_attributes(text: str, chosen: tuple[str, ...] = ()) -> Table:
    """The attribute file: a count, a line of names, then a row of 1 and -1 per picture (packed as 1 and 0).

    Args:
        text: the file.
        chosen: attributes to keep, in that order; empty: all.

    Raises:
        UsageError: a chosen attribute isn't there.
        CaptchaLabError: it has no line of names.
    """
    lines = text.splitlines()
    names = tuple(lines[1].split()) if len(lines) > 1 else ()
    if not names or "-1" in names:
        raise CaptchaLabError(f"{ATTRIBUTES} has no line of attribute names: give the official file.")
    count = Counter(name.casefold() for name in names)
    twice = sorted({name for name in names if count[name.casefold()] > 1})
    if twice:
        raise CaptchaLabError(
            f"{ATTRIBUTES} names {', '.join(twice)} more than once: give the official file."
        )
    columns = attribute_columns(chosen or names, names)
    table = _read_rows(
        lines[2:], len(names), columns, _VALUES, ATTRIBUTES, "an attribute is neither 1 nor -1"
    )
    table.names = tuple(names[k] for k in columns)
    promised, present = lines[0].strip(), sum(1 for line in lines[2:] if line.strip())
    if promised != str(present):
        table.notes.insert(0, f"{ATTRIBUTES} promises {promised} rows and has {present}.")
    return table


def read_numbers(text: str, name: str, allowed: Iterable[str] | None = None) -> Table:
    """A file of `picture number` rows: the partition (0, 1, 2) or the identities."""
    lines = text.splitlines()
    known = {value: int(value) for value in allowed} if allowed is not None else None
    return _read_rows(lines, 1, [0], known, name, f"its number in {name} is none of the allowed")


def _read_rows(
    lines: list[str], width: int, columns: list[int], known: dict[str, int] | None, name: str, wrong: str
) -> Table:
    table = Table({}, np.empty((0, len(columns)), np.int64))
    values: list[list[int]] = []
    repeated: set[str] = set()
    for line in lines:
        cells = line.split()
        if not cells:
            continue
        picture = cells[0]
        if picture in table.rows or picture in table.bad:
            repeated.add(picture)
            continue
        try:
            if len(cells) != width + 1:
                raise ValueError
            row = [known[c] if known is not None else int(c) for c in cells[1:]]
            if any(abs(value) >= 1 << 63 for value in row):
                raise ValueError
        except (ValueError, KeyError):
            count = len(cells) - 1
            table.bad[picture] = (
                wrong if count == width else f"its row in {name} has {count} values, not {width}"
            )
            continue
        table.rows[picture] = len(values)
        values.append([row[k] for k in columns])
    if repeated:
        table.notes.append(f"{name} names {len(repeated)} pictures more than once: the first row counts.")
    table.values = np.array(values, np.int64).reshape(len(values), len(columns))
    return table


def _job(archive: Archive, texts: dict[str, str], options: PrepareOptions) -> PictureJob:
    size, crop = options.size or SIZE, options.crop or CROP
    framing = Framing(size, crop if crop == "none" else int(crop), options.grey, ALIGNED)
    names = [n for n in archive.names if n.lower().endswith(PICTURE_EXTENSIONS)]
    if not names:
        raise CaptchaLabError(f"{archive.path} holds no pictures: give the {CelebA.summary}.")
    if options.attributes and ATTRIBUTES not in texts:
        raise UsageError(f"--attributes: there is no {ATTRIBUTES} beside the pictures of {archive.path}.")
    attributes = read_attributes(texts[ATTRIBUTES], options.attributes) if ATTRIBUTES in texts else None
    base = {name: PurePosixPath(name).name for name in names}
    skipped: list[tuple[str, str]] = []
    if attributes is not None:
        for name in names:
            if base[name] not in attributes.rows:
                skipped.append((name, attributes.bad.get(base[name], f"has no row in {ATTRIBUTES}")))
        names = [name for name in names if base[name] in attributes.rows]
    notes = (
        list(attributes.notes) if attributes is not None else [f"No {ATTRIBUTES}: packed without attributes."]
    )
    split, how = _split([base[n] for n in names], texts, options.seed, notes)
    return PictureJob(
        CelebA.name,
        archive,
        names,
        split,
        framing,
        attributes=_pick(attributes, [base[n] for n in names]).astype(np.int8)
        if attributes is not None
        else None,
        source=np.array([_number(base[n], k) for k, n in enumerate(names)], np.int64),
        attribute_names=attributes.names if attributes is not None else (),
        info={"split": how, "split_seed": options.seed},
        skipped=skipped,
        notes=notes,
    )


def _split(names: list[str], texts: dict[str, str], seed: int, notes: list[str]) -> tuple[np.ndarray, str]:
    """Uint8 [N], and where it is from; without a partition file no person is in two splits, if persons are known."""
    if PARTITION in texts:
        table = read_numbers(texts[PARTITION], PARTITION, "012")
        notes += table.notes
        missing = sum(name not in table.rows for name in names)
        if missing:
            notes.append(f"{missing} pictures have no valid row in {PARTITION}: they are taken for training.")
        return _pick(table, names)[:, 0].astype(np.uint8), "official"
    if IDENTITY in texts:
        table = read_numbers(texts[IDENTITY], IDENTITY)
        notes += [*table.notes, f"No {PARTITION}: split by person."]
        persons, person = np.unique(_pick(table, names)[:, 0], return_inverse=True)
        return random_split(len(persons), seed, HELD_OUT, HELD_OUT)[person], "by person"
    notes.append(f"No {PARTITION} and no {IDENTITY}: split by picture.")
    return random_split(len(names), seed, HELD_OUT, HELD_OUT), "by picture"


def _pick(table: Table, names: list[str]) -> np.ndarray:
    """The rows of the named pictures; zeros where there is none."""
    padded = np.concatenate([table.values, np.zeros((1, table.values.shape[1]), np.int64)])
    return padded[[table.rows.get(name, -1) for name in names]]


def _number(name: str, default: int) -> int:
    stem = PurePosixPath(name).stem
    return int(stem) if stem.isdecimal() and len(stem) < 18 else default


def _text(path: Path, read: Callable[[], bytes]) -> str:
    try:
        return read().decode("utf-8-sig")
    except (OSError, CaptchaLabError) as error:
        raise CaptchaLabError(f"{path} can't be read ({error}): download it again.") from error
    except UnicodeDecodeError as error:
        raise CaptchaLabError(f"{path} is no text file ({error.reason}): give the official one.") from error


DATASET = CelebA()
