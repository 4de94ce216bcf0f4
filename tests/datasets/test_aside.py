"""Pictures are taken out of a dataset by number, file, label or condition, and put back."""

from pathlib import Path

import pytest

from captcha_lab.datasets.aside import drop_pictures
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelEvent, LabelLog
from captcha_lab.store.workspace import DatasetFolder


@pytest.fixture
def folder(tmp_path: Path) -> DatasetFolder:
    """Five pictures of growing width; the first three are labelled."""
    folder = DatasetFolder(tmp_path / "captcha")
    with Catalog(folder.catalog_path) as catalog:
        for k in range(1, 6):
            image_id, _ = catalog.add_image(f"{k:064d}", "png", 20 * k, 20, 100)
            catalog.add_fetch(f"import:folder/sub/pic%20{k}.png", "stored", image_id=image_id)
        texts = [LabelEvent(k, None, text, "import") for k, text in ((1, "AB"), (2, "AC"), (3, "XYZ"))]
        LabelLog(catalog).record("import", texts)
    return folder


def in_use(folder: DatasetFolder) -> list[int]:
    with Catalog(folder.catalog_path) as catalog:
        return [row.id for row in catalog.images()]


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"names": ["2", "5"]}, [1, 3, 4]),
        ({"names": ["pic 3.png"]}, [1, 2, 4, 5]),
        ({"names": ["folder/*/pic ?.png"], "label": "A*"}, [3, 4, 5]),
        ({"label": "XYZ"}, [1, 2, 4, 5]),
        ({"where": "width < 50 or text is null"}, [3]),
        ({"where": "length = 3"}, [1, 2, 4, 5]),
    ],
)
def test_pictures_are_named_by_number_file_label_or_condition(
    folder: DatasetFolder, options: dict[str, str], left: list[int]
) -> None:
    report = drop_pictures(folder, reason="of no use", **options)  # type: ignore[arg-type]
    assert in_use(folder) == left
    assert {picture.reason for picture in report.aside} == {"of no use"}
    back = drop_pictures(folder, undo=True, **options)
    assert in_use(folder) == [1, 2, 3, 4, 5]
    assert len(back.changed) == 5 - len(left)
    assert back.aside == ()


def test_without_a_name_it_lists_and_changes_nothing(folder: DatasetFolder) -> None:
    drop_pictures(folder, ["1"])
    report = drop_pictures(folder)
    assert [(p.image_id, p.file, p.text) for p in report.aside] == [(1, "folder/sub/pic 1.png", "AB")]
    assert report.changed == ()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"names": ["7"]}, "is named '7'"),
        ({"names": ["1"], "label": "XYZ"}, "nothing was changed"),
        ({"where": "colour = 3"}, "no such column"),
        ({"where": "1); DELETE FROM picture; --"}, "no condition"),
        ({"where": "1 in (select 1 from sqlite_master where load_extension('x'))"}, "no condition"),
    ],
)
def test_what_fits_nothing_is_said(folder: DatasetFolder, options: dict[str, str], says: str) -> None:
    with pytest.raises((CaptchaLabError, UsageError), match=says):
        drop_pictures(folder, **options)  # type: ignore[arg-type]
    assert in_use(folder) == [1, 2, 3, 4, 5]
