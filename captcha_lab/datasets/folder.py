"""Any pictures: a folder or zip; folders in it name classes, and folders named train and test fix the split."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np

from captcha_lab.datasets.archive import Archive
from captcha_lab.datasets.base import PrepareOptions, PrepareReport, Progress, random_split
from captcha_lab.datasets.packing import PictureJob, pack_pictures
from captcha_lab.datasets.pictures import PICTURE_EXTENSIONS, Framing, left_alone
from captcha_lab.errors import CaptchaLabError, UsageError

SIZE = 64
SPLITS = {"train": 0, "training": 0, "val": 1, "valid": 1, "validation": 1, "test": 2, "testing": 2}


class Folder:
    """Pictures of any sizes: the largest centred square is kept."""

    name = "folder"
    summary = "folder or zip of pictures, one folder per class where there are classes"
    embedded: str | None = None
    options: tuple[str, ...] = ("size", "crop", "grey")
    embedded_options: tuple[str, ...] = ()

    def prepare(
        self, source: Path | None, target: Path, options: PrepareOptions, progress: Progress
    ) -> PrepareReport:
        """See `DatasetModule.prepare`."""
        if source is None:
            raise UsageError(f"`prepare folder` needs a PATH: {self.summary}.")
        crop: int | str = "square" if options.crop is None else options.crop
        crop = crop if crop in ("square", "none") else int(crop)
        framing = Framing(options.size or SIZE, crop, options.grey)
        with Archive(source) as archive:
            return pack_pictures(_job(archive, framing, options), target, options, progress)


def _job(archive: Archive, framing: Framing, options: PrepareOptions) -> PictureJob:
    paths = [PurePosixPath(n) for n in archive.names if n.lower().endswith(PICTURE_EXTENSIONS)]
    if not paths:
        raise CaptchaLabError(f"{archive.path} holds no pictures ({', '.join(PICTURE_EXTENSIONS)}).")
    folders = [p.parts[:-1] for p in paths]
    while all(folders) and len({f[0] for f in folders}) == 1 and folders[0][0].lower() not in SPLITS:
        folders = [f[1:] for f in folders]  # one folder around everything says nothing
    # Where another folder lies beside it, `train` is a class of pictures.
    splits = all(f[0].lower() in SPLITS for f in folders if f)
    told = [splits and bool(f) for f in folders]
    split, how = random_split(len(paths), options.seed), "by picture"
    if any(told):
        split = np.array(
            [SPLITS[f[0].lower()] if t else 0 for f, t in zip(folders, told, strict=True)], np.uint8
        )
        how = "by folder"
    kinds = ["/".join(f[1:] if t else f) for f, t in zip(folders, told, strict=True)]
    classes, labels = np.unique(kinds, return_inverse=True)
    has_classes = len(classes) > 1
    if len(classes) > np.iinfo(np.int16).max:
        raise CaptchaLabError(
            f"{archive.path} holds {len(classes)} folders: more classes than a set can have."
        )
    if has_classes and classes[0] == "":  # pictures outside of all class folders
        classes, labels = classes[1:], labels - 1
    return PictureJob(
        Folder.name,
        archive,
        [str(p) for p in paths],
        split,
        framing,
        labels=labels.astype(np.int16) if has_classes else None,
        classes=tuple(map(str, classes)) if has_classes else (),
        info={"split": how, "split_seed": options.seed},
        notes=left_alone(archive.names),
    )


DATASET = Folder()
