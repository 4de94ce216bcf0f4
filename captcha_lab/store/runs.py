"""Runs: one folder per trained model, with its configuration, figures, weights and state to resume from."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.files import atomic_path, read_file, write_bytes
from captcha_lab.store.locks import hold, is_held
from captcha_lab.store.shapes import CONFIG, is_sound, misfit
from captcha_lab.store.sums import CHECKSUM, check_archive, check_weights, digest
from captcha_lab.store.workspace import check_name

if TYPE_CHECKING:
    import torch

WEIGHTS = "weights.safetensors"


def check_new(models: Path, name: str | None, *, unfinished: bool = False) -> None:
    """A name that a new run may have; None, by date, always is one.

    With `unfinished` also the name of a run that was interrupted before it had weights.

    Raises:
        UsageError: it can't name a folder.
        CaptchaLabError: a run has it.
    """
    if name is None:
        return
    root = models / check_name(name)
    if not root.exists() or (unfinished and not (root / WEIGHTS).exists()):
        return
    cure = "choose another --name or remove it"
    if Run(root).is_dead:
        cure = "it was killed before it had anything to keep, and `captcha-lab clean` removes it"
    raise CaptchaLabError(f"A run named {name} exists in {models}: {cure}.")


@dataclass(frozen=True)
class Run:
    """The folder of one run: `config.json metrics.jsonl weights.safetensors resume.pt samples/ tensorboard/`."""

    root: Path

    @property
    def name(self) -> str:
        """The run's name, which is its folder's."""
        return self.root.name

    @property
    def weights(self) -> Path:
        """The model file."""
        return self.root / WEIGHTS

    @property
    def resume(self) -> Path:
        """State of the unfinished training."""
        return self.root / "resume.pt"

    @property
    def metrics(self) -> Path:
        """One JSON object per line, in the order of training."""
        return self.root / "metrics.jsonl"

    @property
    def samples(self) -> Path:
        """Pictures made while training."""
        return self.root / "samples"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard's event files."""
        return self.root / "tensorboard"

    @classmethod
    def create(cls, models: Path, kind: str, name: str | None, config: dict[str, Any]) -> Run:
        """Make a new run folder; without a name it is `<kind>-<date>-<time>`, numbered where that is taken.

        `config` is stored as `config.json` together with `kind` ("recogniser", "generator", …) and the time.

        Raises:
            CaptchaLabError: a run of that name exists, or the disk refuses.
        """
        check_new(models, name)
        stamp = f"{kind}-{time.strftime('%Y%m%d-%H%M%S')}"
        for attempt in range(1000):
            root = models / (name or (stamp if attempt == 0 else f"{stamp}-{attempt + 1}"))
            try:
                root.mkdir(parents=True)
            except FileExistsError:
                continue
            except OSError as error:
                raise CaptchaLabError(f"Can't make the run folder {root}: {error.strerror}.") from error
            run = cls(root)
            run.hold()
            facts = {"kind": kind, "created": time.time(), **config}
            write_bytes(root / "config.json", (json.dumps(facts, indent=1) + "\n").encode())
            return run
        raise CaptchaLabError(f"No free name for a run in {models}: choose one with --name.")

    @classmethod
    def continued(cls, models: Path, kind: str, name: str | None, config: dict[str, Any]) -> Run:
        """The run of that name that was interrupted before it had weights, else a new one (see `create`).

        Raises:
            CaptchaLabError: a finished run of that name exists, or one of another kind or configuration.
        """
        run = cls(models / check_name(name)) if name else None
        if run is None or run.weights.exists() or not (run.root / "config.json").is_file():
            return cls.create(models, kind, name, config)
        # As JSON has them: a tuple comes back as a list.
        wanted = json.loads(json.dumps({"kind": kind, **config}))
        if {key: value for key, value in run.config().items() if key != "created"} != wanted:
            raise CaptchaLabError(
                f"An unfinished run named {name} exists in {models}, of other settings or other labels: choose another "
                "--name or remove it."
            )
        return run

    @property
    def lock(self) -> Path:
        """The file that a process locks while it trains this run."""
        return self.root / ".lock"

    def hold(self) -> None:
        """Be the only process that trains this run, until it ends; the first of several that train together does so.

        Raises:
            CaptchaLabError: another one is at it.
        """
        if os.environ.get("RANK", "0") == "0":
            hold(
                self.lock, f"Another process is training {self.name}: wait for it, or stop it and try again."
            )

    @property
    def is_dead(self) -> bool:
        """Whether its training was killed before there was anything to keep: no weights, no checkpoint, no process."""
        return not (self.weights.exists() or self.resume.exists() or is_held(self.lock))

    @classmethod
    def open(cls, path: Path) -> Run:
        """An existing run by its folder.

        Raises:
            CaptchaLabError: there is no run there.
        """
        if not (path / "config.json").is_file():
            names = ", ".join(run.name for run in all_runs(path.parent)) or "none"
            raise CaptchaLabError(f"There is no run at {path} (runs there: {names}).")
        return cls(path)

    def config(self) -> dict[str, Any]:
        """What `create` stored.

        Raises:
            CaptchaLabError: the file is damaged.
        """
        try:
            value = json.loads(read_file(self.root / "config.json"))
        except (CaptchaLabError, ValueError, RecursionError) as error:
            raise CaptchaLabError(f"{self.root / 'config.json'} can't be read: {error}.") from error
        if wrong := misfit(value, CONFIG):
            raise CaptchaLabError(f"{self.root / 'config.json'} is no run's: {wrong}.")
        checked: dict[str, Any] = value
        return checked

    def log(self, **scalars: Any) -> None:
        """Append one line to `metrics.jsonl`.

        Raises:
            CaptchaLabError: the disk refuses.
        """
        try:
            with self.metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps(scalars) + "\n")
        except OSError as error:
            raise CaptchaLabError(
                f"Can't write {self.metrics}: {error.strerror}. Free space and continue the run."
            ) from error

    def history(self) -> list[dict[str, Any]]:
        """All whole lines of `metrics.jsonl`; a line cut off by a kill, or of impossible figures, is left out."""
        return list(_whole_lines(self.metrics))

    def cut_history(self, key: str, last: float) -> None:
        """Drop the lines whose `key` lies beyond `last`: what a resumed run is about to write again."""
        kept = [line for line in _whole_lines(self.metrics) if line.get(key, 0) <= last]
        write_bytes(self.metrics, "".join(json.dumps(line) + "\n" for line in kept).encode())


def all_runs(models: Path, kind: str | None = None) -> list[Run]:
    """The runs in a models folder, oldest first; of one kind where asked."""
    runs = []
    for path in sorted(models.glob("*/config.json")):
        run = Run(path.parent)
        try:
            config = run.config()
        except CaptchaLabError:
            continue
        if kind is None or config.get("kind") == kind:
            runs.append((float(config.get("created", 0.0)), run.name, run))
    return [run for _, _, run in sorted(runs, key=lambda entry: entry[:2])]


def latest_run(models: Path, kind: str) -> Run | None:
    """The newest run of a kind that has weights."""
    finished = [run for run in all_runs(models, kind) if run.weights.is_file()]
    return finished[-1] if finished else None


def save_weights(path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, Any]) -> None:
    """Write a model file: safetensors whose metadata (JSON values) suffice to rebuild the model.

    Raises:
        CaptchaLabError: the disk refuses.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    texts = {key: json.dumps(value) for key, value in metadata.items() if key != CHECKSUM}
    plain = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}
    texts[CHECKSUM] = digest(plain, texts)
    try:
        with atomic_path(path) as temporary:
            save_file(plain, temporary, metadata=texts)
    except SafetensorError as error:
        raise _refused(path) from error


def load_weights(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors and metadata of a model file (or of a run folder's).

    Raises:
        CaptchaLabError: the file is absent or damaged, or not a captcha-lab model.
    """
    from safetensors import SafetensorError, safe_open

    path = path / WEIGHTS if path.is_dir() else path
    if not path.is_file():
        raise CaptchaLabError(f"There is no model at {path}: name a run folder or a {WEIGHTS} file.")
    try:
        with safe_open(path, framework="pt") as file:
            texts = dict(file.metadata() or {})
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
        check_weights(tensors, texts)
        texts.pop(CHECKSUM, None)
        metadata = {key: json.loads(text) for key, text in texts.items()}
    except (CaptchaLabError, SafetensorError, ValueError, OSError, RuntimeError, RecursionError) as error:
        raise CaptchaLabError(
            f"The model {path} can't be read ({error}): restore it or train again."
        ) from error
    if "architecture" not in metadata:
        raise CaptchaLabError(f"{path} is not a captcha-lab model: its metadata name no architecture.")
    return tensors, metadata


def save_resume(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint of tensors, numbers, strings, lists and dicts, whole or not at all.

    Raises:
        CaptchaLabError: the disk refuses.
    """
    import torch

    try:
        with atomic_path(path) as temporary:
            torch.save(state, temporary)
    except RuntimeError as error:
        raise _refused(path) from error


def _refused(path: Path) -> CaptchaLabError:
    """For writers that hide what the disk said."""
    return CaptchaLabError(
        f"Can't write {path}: the disk may be full. Free space or choose another folder; nothing was changed."
    )


def load_resume(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running any code from it.

    Raises:
        CaptchaLabError: it is absent or damaged.
    """
    import torch

    if not path.is_file():
        raise CaptchaLabError(
            f"There is nothing to resume at {path}: the run finished or never saved a checkpoint."
        )
    Run(path.parent).hold()
    try:
        check_archive(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged one makes torch raise nearly anything
        raise CaptchaLabError(
            f"The checkpoint {path} can't be read ({error}): start the run again."
        ) from error
    if not isinstance(state, dict):
        raise CaptchaLabError(f"The checkpoint {path} holds no training state: start the run again.")
    return state


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict) and is_sound(value):
                yield value
