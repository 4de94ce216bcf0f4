"""Where things lie: the workspace, its configuration, and the folders of its datasets and models."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from captcha_lab.alphabet import Alphabet
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.store.files import read_file, write_bytes

CONFIG_NAME = "captcha-lab.toml"
DEFAULT_LENGTH = 4  # characters per captcha, the thesis's, while neither the configuration nor a label tells


def check_name(name: str) -> str:
    """A name that becomes a folder: letters, digits, dot, dash and underscore, not starting with a dot.

    Raises:
        UsageError: it holds anything else (a path, for instance).
    """
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", name):
        raise UsageError(f"{name!r} can't name a dataset or run: use letters, digits, '.', '-' and '_'.")
    return name


def _key(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class WorkspaceConfig:
    """What `captcha-lab.toml` may say; every field is optional, and says what it means."""

    dataset: str = _key("captcha", "Dataset that commands use where no --dataset is given.")
    source: str = _key("", "URL to scrape; empty: the built-in endpoint.")
    alphabet: str = _key(
        "", "Characters of a captcha; empty: learned from the labels, the thesis's 32 while they suffice."
    )
    length: int = _key(0, "Characters of a captcha; 0: learned from the labels, 4 while there are none.")
    contact: str = _key("", "Mail address or URL sent in the scraper's User-Agent.")
    use: tuple[str, ...] = _key(
        (), "Runs that commands use by default; empty: the best validated one of each kind."
    )

    def __post_init__(self) -> None:
        if self.length < 0:
            raise UsageError(
                f"{CONFIG_NAME}: length is {self.length}, but a captcha has at least 1 character; 0 means that the "
                "labels tell."
            )
        if self.alphabet:
            Alphabet(self.alphabet)
        check_name(self.dataset)


@dataclass(frozen=True)
class DatasetFolder:
    """The folder of one dataset; nothing in it needs to exist yet."""

    root: Path

    @property
    def name(self) -> str:
        """The dataset's name, which is its folder's."""
        return self.root.name

    @property
    def blobs(self) -> Path:
        """Raw bytes as received, content-addressed."""
        return self.root / "blobs"

    @property
    def catalog_path(self) -> Path:
        """The system of record."""
        return self.root / "catalog.sqlite"

    @property
    def packed_path(self) -> Path:
        """The rebuildable file that training reads: glyphs of captchas, digits, faces."""
        return self.root / "packed.h5"

    @property
    def exists(self) -> bool:
        """Whether there is a dataset: captchas that were scraped or imported, or packed pictures."""
        return self.catalog_path.exists() or self.packed_path.exists()

    @property
    def texts_path(self) -> Path:
        """The rebuildable file of whole captchas and their texts."""
        return self.root / "texts.h5"


@dataclass(frozen=True)
class Workspace:
    """A folder with `datasets/` and `models/`, and the configuration beside them."""

    root: Path
    config: WorkspaceConfig = WorkspaceConfig()

    @classmethod
    def find(cls, start: Path | None = None) -> Workspace:
        """Walk up from `start` (default: the current folder) to a `captcha-lab.toml`, else use `start` itself.

        Raises:
            CaptchaLabError: the configuration can't be read or says something impossible.
        """
        start = (start or Path.cwd()).resolve()
        for folder in (start, *start.parents):
            if (folder / CONFIG_NAME).is_file():
                return cls(folder, _read_config(folder / CONFIG_NAME))
        return cls(start)

    def dataset(self, name: str | None = None) -> DatasetFolder:
        """The folder of a dataset, by default the configured one.

        Raises:
            UsageError: the name is not a plain folder name.
        """
        return DatasetFolder(self.root / "datasets" / check_name(name or self.config.dataset))

    @property
    def models(self) -> Path:
        """The folder that holds one folder per run."""
        return self.root / "models"


def _read_config(path: Path) -> WorkspaceConfig:
    try:
        values = tomllib.loads(read_file(path).decode("utf-8-sig"))
    except (
        CaptchaLabError,
        ValueError,
        RecursionError,
    ) as error:  # a TOML error is a ValueError, as one in UTF-8 is
        raise CaptchaLabError(f"{path} can't be read as TOML: {error}. Mend or remove it.") from error
    known = {field.name: type(field.default) for field in fields(WorkspaceConfig)}
    for key, value in values.items():
        if key not in known:
            raise CaptchaLabError(f"{path}: unknown key {key!r}; known are {', '.join(known)}.")
        if known[key] is tuple and isinstance(value, list) and all(isinstance(item, str) for item in value):
            values[key] = tuple(value)
        elif type(value) is not known[key]:
            wanted = "list of texts" if known[key] is tuple else known[key].__name__
            raise CaptchaLabError(f"{path}: {key} must be a {wanted}, not {value!r}.")
    try:
        return WorkspaceConfig(**values)
    except UsageError as error:
        raise CaptchaLabError(f"{path}: {error}") from error


def set_config(workspace: Workspace, key: str, value: str | int | tuple[str, ...] | None) -> Workspace:
    """Write one key of `captcha-lab.toml`, leaving every other line as it is; None removes the key.

    Returns:
        The workspace with the configuration that is in force now.

    Raises:
        UsageError: there is no such key, or the value is impossible.
        CaptchaLabError: the file can't be read or written.
    """
    known = {field.name: type(field.default) for field in fields(WorkspaceConfig)}
    if key not in known:
        raise UsageError(f"There is no key {key!r} in {CONFIG_NAME}: choose one of {', '.join(known)}.")
    path = workspace.root / CONFIG_NAME
    if value is not None:
        WorkspaceConfig(**{key: value})  # type: ignore[arg-type]
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    start = next((k for k, line in enumerate(lines) if re.match(rf"\s*{key}\s*=", line)), len(lines))
    # A value may stand on several lines: it ends where the text so far can be parsed.
    end = next((e for e in range(start + 1, len(lines) + 1) if _is_toml(lines[start:e])), len(lines))
    lines[start:end] = [] if value is None else [f"{key} = {json.dumps(value, ensure_ascii=False)}"]
    write_bytes(path, ("\n".join(lines) + "\n").encode())
    return Workspace(workspace.root, _read_config(path))


def _is_toml(lines: list[str]) -> bool:
    try:
        tomllib.loads("\n".join(lines))
    except ValueError:
        return False
    return True
