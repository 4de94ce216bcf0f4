"""Raw bytes exactly as received, each stored once under the name of its own hash."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.files import write_bytes

EXTENSIONS = {
    "png",
    "jpg",
    "gif",
    "bmp",
    "webp",
    "avif",
    "pgm",
    "tif",
}  # of `images`, which is too heavy to import


@dataclass(frozen=True)
class BlobStore:
    """A folder of `ab/<sha256>.<ext>` files."""

    root: Path

    def path(self, sha256: str, extension: str) -> Path:
        """Where a blob lies.

        Raises:
            CaptchaLabError: no picture has such a name; a forged one could lead anywhere.
        """
        if not re.fullmatch("[0-9a-f]{64}", sha256) or extension not in EXTENSIONS:
            raise CaptchaLabError(
                f"The catalog names a picture {sha256[:80]!r}.{extension[:20]!r}, which none is."
            )
        return self.root / sha256[:2] / f"{sha256}.{extension}"

    def put(self, data: bytes, extension: str) -> str:
        """Store bytes durably (fsynced, renamed into place) and return their SHA-256 in hex.

        Raises:
            CaptchaLabError: the disk refuses.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256, extension)
        if path.exists():
            with suppress(OSError):  # young again: `clean` must not take it for one that belongs to nothing
                path.touch()
        else:
            write_bytes(path, data)
        return sha256

    def get(self, sha256: str, extension: str) -> bytes:
        """The bytes of a blob, checked against their hash.

        Raises:
            CaptchaLabError: the blob is missing or its bytes have changed.
        """
        path = self.path(sha256, extension)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise CaptchaLabError(
                f"The image {path} is missing ({error.strerror}): restore it from a copy, or scrape or import it again."
            ) from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise CaptchaLabError(
                f"The image {path} is damaged (its bytes no longer match its name): "
                "delete it and scrape or import it again."
            )
        return data
