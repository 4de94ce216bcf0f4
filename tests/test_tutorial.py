"""The tutorial notebook is run from its first cell to its last, and shows what it promises."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import captcha_lab

BOOK = Path(captcha_lab.__file__).parent / "tutorial" / "thesis.ipynb"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The notebook with the outputs that it has here."""
    book = nbformat.read(BOOK, as_version=4)  # type: ignore[no-untyped-call]
    place = tmp_path_factory.mktemp("lesson")
    path = os.pathsep.join(
        filter(None, (str(Path(captcha_lab.__file__).parents[1]), os.environ.get("PYTHONPATH")))
    )
    environment = {
        **os.environ,
        "PYTHONPATH": path,
        "TMPDIR": str(place),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    client = NotebookClient(book, timeout=300, resources={"metadata": {"path": str(place)}})
    return client.execute(env=environment)


def outputs(played: Any, source: str) -> list[Any]:
    """What the cell with this line printed or showed."""
    (cell,) = [cell for cell in played.cells if cell.cell_type == "code" and source in cell.source]
    return list(cell.outputs)


def text_of(found: list[Any]) -> str:
    return "".join(output.get("text", "") for output in found)


def kinds(found: list[Any]) -> set[str]:
    return {kind for output in found for kind in output.get("data", ())}


def test_it_is_kept_without_outputs_and_has_about_twenty_cells() -> None:
    book = nbformat.read(BOOK, as_version=4)  # type: ignore[no-untyped-call]
    assert 18 <= len(book.cells) <= 26
    assert not any(cell.outputs for cell in book.cells if cell.cell_type == "code")
    nbformat.validate(book)


def test_every_step_of_the_thesis_works(played: Any) -> None:
    assert "captchas" in text_of(outputs(played, "describe_segmentation"))
    labelled = re.match(
        r"(\d+) keys labelled (\d+) glyphs, of which ([\d.]+)%", text_of(outputs(played, "label_by_keys"))
    )
    assert labelled is not None
    keys, glyphs, right = map(float, labelled.groups())
    assert 0 < keys < glyphs == 640
    assert right > 95
    read = text_of(outputs(played, "captcha_lab.read")).split()
    assert int(read[0]) > 0.8 * int(read[2])
    assert "wasserstein" in text_of(outputs(played, "get_topic")).lower()


def test_data_models_and_plots_show_themselves(played: Any) -> None:
    for source in ('Image("cells.png")', "trained.plot()", "distances.plot()", "scored.plot()"):
        assert "image/png" in kinds(outputs(played, source)), source
    for source in ("train_recogniser", "load_generator", "train_generator"):
        assert "text/html" in kinds(outputs(played, source)), source
