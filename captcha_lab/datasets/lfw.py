"""Labeled Faces in the Wild (Huang et al., 2007): one folder per person, funneled or not, grey or colour."""

from __future__ import annotations

import time
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from captcha_lab.datasets.archive import Archive
from captcha_lab.datasets.base import PrepareOptions, PrepareReport, Progress, count_splits, random_split
from captcha_lab.datasets.packing import PictureJob, pack_pictures
from captcha_lab.datasets.pictures import PICTURE_EXTENSIONS, Framing
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.packed.packed import PackedSet, mark_duplicates, write_packed

SIZE = 64
CROP = "none"
EMBEDDED_FACES = 100  # scikit-image's file holds as many pictures that are no faces behind them


class Lfw:
    """Classes are persons; no person is in two splits."""

    name = "lfw"
    summary = "folder or zip with one folder of pictures per person"
    embedded: str | None = "the 100 grey LFW faces (25x25) that scikit-image ships, enlarged"
    options: tuple[str, ...] = ("size", "crop", "grey")
    embedded_options: tuple[str, ...] = ("size", "grey")

    def prepare(
        self, source: Path | None, target: Path, options: PrepareOptions, progress: Progress
    ) -> PrepareReport:
        """See `DatasetModule.prepare`."""
        if source is None:
            return _pack_embedded(target, options, progress)
        crop = options.crop or CROP
        framing = Framing(options.size or SIZE, crop if crop == "none" else int(crop), options.grey)
        with Archive(source) as archive:
            return pack_pictures(_job(archive, framing, options), target, options, progress)


def _job(archive: Archive, framing: Framing, options: PrepareOptions) -> PictureJob:
    paths = [PurePosixPath(n) for n in archive.names if n.lower().endswith(PICTURE_EXTENSIONS)]
    loose = [str(p) for p in paths if len(p.parts) < 2]
    paths = [p for p in paths if len(p.parts) >= 2]
    if not paths:
        raise CaptchaLabError(f"{archive.path} holds no folders of pictures: give the {Lfw.summary}.")
    persons, person = np.unique([p.parent.name for p in paths], return_inverse=True)
    if len(persons) > np.iinfo(np.int16).max:
        raise CaptchaLabError(
            f"{archive.path} holds {len(persons)} folders: more classes than a set can have."
        )
    return PictureJob(
        Lfw.name,
        archive,
        [str(p) for p in paths],
        random_split(len(persons), options.seed)[person],
        framing,
        labels=person.astype(np.int16),
        classes=tuple(map(str, persons)),
        info={"split": "by person", "split_seed": options.seed},
        skipped=[(name, "lies in no person's folder") for name in loose],
    )


def _pack_embedded(target: Path, options: PrepareOptions, progress: Progress) -> PrepareReport:
    from skimage.data import lfw_subset

    started = time.perf_counter()
    size = options.size or SIZE
    faces = np.round(lfw_subset()[:EMBEDDED_FACES] * 255).astype(np.uint8)  # float64 [0, 1]
    images = np.stack([cv2.resize(face, (size, size), interpolation=cv2.INTER_CUBIC) for face in faces])
    if not options.grey:
        images = np.repeat(images[..., None], 3, axis=3)  # face recipes take RGB
    split = random_split(len(images), options.seed)
    data = PackedSet(
        images,
        split,
        source=np.arange(len(images), dtype=np.int64),
        duplicate=mark_duplicates(images, split),
        info={"dataset": Lfw.name, "embedded": True, "split": "by picture", "split_seed": options.seed},
    )
    write_packed(target, data)
    progress(len(images), len(images))
    return PrepareReport(
        target,
        Lfw.name,
        len(images),
        images.shape[1:],
        count_splits(split),
        notes=(f"No PATH given: packed {Lfw.embedded} to {size}x{size}.",),
        seconds=time.perf_counter() - started,
    )


DATASET = Lfw()
