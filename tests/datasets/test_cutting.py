"""Cutting a dataset: labels choose how, an interrupted cut is unseen, pixels come from the stored boxes."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from captcha_lab.datasets import cutting
from captcha_lab.datasets.captcha import load_texts, pack_glyphs
from captcha_lab.datasets.cutting import choose_segmenter, read_glyphs, reader_cells, segment_dataset
from captcha_lab.datasets.facts import alphabet_of, describe
from captcha_lab.segment import Segmenter
from captcha_lab.store.blobs import BlobStore
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelEvent, LabelLog
from captcha_lab.store.images import encode
from captcha_lab.store.workspace import DatasetFolder


def drawn(text: str, at: Sequence[int], width: int = 130) -> np.ndarray:
    """A captcha 30 pixels high with each character at a column of its own."""
    image = np.full((30, width), 255, np.uint8)
    for character, x in zip(text, at, strict=True):
        cv2.putText(image, character, (x, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 0, 2)
    return image


def add(folder: DatasetFolder, images: Sequence[np.ndarray], texts: Sequence[str] = ()) -> list[int]:
    """Store pictures, with their texts where there are any."""
    blobs, ids = BlobStore(folder.blobs), []
    with Catalog(folder.catalog_path) as catalog:
        for image in images:
            data = encode(image)
            height, width = image.shape[:2]
            ids.append(catalog.add_image(blobs.put(data, "png"), "png", width, height, len(data))[0])
        events = [LabelEvent(k, None, text, "import") for k, text in zip(ids, texts, strict=False) if text]
        if events:
            LabelLog(catalog).record("import", events)
    return ids


@pytest.fixture
def folder(tmp_path: Path) -> DatasetFolder:
    return DatasetFolder(tmp_path / "captcha")


def uneven(count: int, length: int | None = None, seed: int = 0) -> tuple[list[np.ndarray], list[str]]:
    """Captchas whose characters stand anywhere, `length` of them or from 3 to 6."""
    rng = np.random.default_rng(seed)
    texts = ["".join(rng.choice(list("2345678"), length or rng.integers(3, 7))) for _ in range(count)]
    images = []
    for text in texts:
        gaps = rng.integers(0, 5, len(text))
        images.append(drawn(text, [int(4 + 16 * k + gaps[: k + 1].sum()) for k in range(len(text))]))
    return images, texts


def test_labels_of_one_length_are_cut_into_so_many_cells(folder: DatasetFolder) -> None:
    texts = ["23456", "65432"] * 6
    add(folder, [drawn(t, range(6 + k % 3, 130, 26)) for k, t in enumerate(texts)], texts)
    with Catalog(folder.catalog_path) as catalog:
        assert choose_segmenter(folder, catalog) == Segmenter(glyphs=5)
        facts = describe(catalog)
    assert (facts.length, facts.alphabet, facts.case_sensitive) == (5, "23456", False)
    assert "5 characters of 5 (23456)" in facts.sentence


def test_labels_of_several_lengths_are_cut_by_ink(folder: DatasetFolder) -> None:
    images, texts = uneven(40)
    add(folder, images, texts)
    with Catalog(folder.catalog_path) as catalog:
        segmenter = choose_segmenter(folder, catalog)
    assert (segmenter.method, segmenter.glyphs) == ("ink", 0)
    report = segment_dataset(folder, segmenter)
    assert report.unlike == 0
    data = pack_glyphs(folder)
    assert data.image is not None
    assert data.labels is not None
    read = {
        k: "".join(data.classes[label] for label in data.labels[data.image == k])
        for k in np.unique(data.image)
    }
    assert list(read.values()) == texts


def test_characters_that_stand_unevenly_are_cut_by_ink_though_alike_in_number(folder: DatasetFolder) -> None:
    images, texts = uneven(40, length=5)
    add(folder, images, texts)
    with Catalog(folder.catalog_path) as catalog:
        assert choose_segmenter(folder, catalog) == Segmenter(glyphs=5, method="ink")


def test_labels_learned_later_cut_anew_what_was_cut_otherwise(folder: DatasetFolder) -> None:
    images, texts = uneven(30)
    ids = add(folder, images)
    segment_dataset(folder, Segmenter(glyphs=0, method="ink"))
    with Catalog(folder.catalog_path) as catalog:
        cells = {k: len(own) for k, own in catalog.cuts().items()}
        LabelLog(catalog).record("captcha", [LabelEvent(ids[0], None, texts[0] + "2")])
    report = segment_dataset(folder, Segmenter(glyphs=0, method="ink"), only_new=True)
    with Catalog(folder.catalog_path) as catalog:
        again = {k: len(own) for k, own in catalog.cuts().items()}
    assert report.captchas == 1
    assert again == cells | {ids[0]: len(texts[0]) + 1}


@pytest.mark.parametrize("second", [Segmenter(glyphs=5), Segmenter(glyphs=0, method="ink")])
def test_an_interrupted_cut_is_unseen_and_goes_on(
    folder: DatasetFolder, second: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, texts = uneven(30, length=4)
    ids = add(folder, images, texts)
    segment_dataset(folder, Segmenter(glyphs=4))
    before = pack_glyphs(folder)
    monkeypatch.setattr(cutting, "BATCH", 8)

    def killed(done: int, total: int) -> None:
        if done >= 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment_dataset(folder, second, killed)
    after = pack_glyphs(folder)  # rows have the pixels of their own place
    np.testing.assert_array_equal(after.images, before.images)
    np.testing.assert_array_equal(np.asarray(after.labels), np.asarray(before.labels))
    with Catalog(folder.catalog_path) as catalog:
        assert {len(own) for own in catalog.cuts().values()} == {4}
        assert len(catalog.unsegmented(second.version)) == 14
    report = segment_dataset(folder, second)
    assert report.captchas == 14  # the rest
    with Catalog(folder.catalog_path) as catalog:
        assert len(catalog.cuts()) == len(ids)
        assert {g.segmenter for g in catalog.glyphs()} == {second.version}


def test_five_characters_on_four_cells_stay_unlabelled_instead_of_misaligned(folder: DatasetFolder) -> None:
    images, texts = uneven(10, length=5)
    add(folder, images, texts)
    report = segment_dataset(folder, Segmenter(glyphs=4))
    assert report.unlike == 10
    labels = pack_glyphs(folder).labels
    assert labels is not None
    assert (labels == -1).all()


def test_glyphs_are_cropped_from_the_stored_boxes(folder: DatasetFolder) -> None:
    ids = add(folder, [drawn("234", (4, 30, 60))])
    segment_dataset(folder, Segmenter(glyphs=0, method="ink"))
    with Catalog(folder.catalog_path) as catalog:
        catalog.execute("UPDATE glyph SET x0 = 100, x1 = 120")  # paper
    table = read_glyphs(folder)
    assert table.places == ((ids[0], 0), (ids[0], 1), (ids[0], 2))
    assert (table.images == 255).all()


def test_pictures_that_show_nothing_are_set_aside_and_named(folder: DatasetFolder) -> None:
    pictures = [drawn("23", (4, 40)), np.full((30, 130), 200, np.uint8), np.zeros((1, 1), np.uint8)]
    ids = add(folder, pictures)
    report = segment_dataset(folder, Segmenter(glyphs=2))
    assert report.aside == {ids[1]: "blank: all pixels are alike", ids[2]: "too small: 1x1 pixels"}
    assert report.captchas == 1
    with Catalog(folder.catalog_path) as catalog:
        assert [row.aside for row in catalog.images(aside=True)] == list(report.aside.values())
        assert catalog.take_back(report.aside) == 2


def test_one_damaged_picture_stops_nothing(folder: DatasetFolder) -> None:
    images, texts = uneven(6, length=4)
    ids = add(folder, images, texts)
    with Catalog(folder.catalog_path) as catalog:
        row = catalog.images()[2]
    blob = BlobStore(folder.blobs).path(row.sha256, row.extension)
    blob.chmod(0o644)
    blob.write_bytes(b"\x89PNG junk")
    report = segment_dataset(folder, Segmenter(glyphs=4))
    assert report.captchas == 5
    assert f"captcha {ids[2]} " in report.unreadable[0]
    problems: list[str] = []
    assert len(pack_glyphs(folder, problems=problems)) == 20
    assert not problems  # it has no cut
    assert len(load_texts(folder)) == 5


def test_the_text_view_has_the_split_of_the_glyph_view(folder: DatasetFolder) -> None:
    images, texts = uneven(60)
    colour = [
        np.repeat(image[..., None], 3, axis=2) if k % 7 == 0 else image for k, image in enumerate(images)
    ]
    ids = add(folder, colour, texts[:-1])
    with Catalog(folder.catalog_path) as catalog:
        LabelLog(catalog).record("captcha", [LabelEvent(ids[3], None, "")])  # no person can read it
    segment_dataset(folder, Segmenter(glyphs=0, method="ink"))
    view, glyphs = load_texts(folder), pack_glyphs(folder)
    assert glyphs.image is not None
    split = dict(zip(glyphs.image.tolist(), glyphs.split.tolist(), strict=True))
    assert dict(zip(view.image_ids.tolist(), view.split.tolist(), strict=True)) == split
    assert len(view) == 59
    assert ids[3] not in view.image_ids
    assert view.texts == (*texts[:3], *texts[4:-1], "")
    for image, row in zip([*colour[:3], *colour[4:]], view.images, strict=True):
        np.testing.assert_array_equal(row, image)
    assert len(view.labelled()) == 58
    written = folder.texts_path.stat().st_mtime_ns
    assert load_texts(folder).texts == view.texts
    assert folder.texts_path.stat().st_mtime_ns == written
    folder.texts_path.write_bytes(b"junk")
    assert load_texts(folder).texts == view.texts  # rebuilt


def test_the_alphabet_is_what_labels_say(folder: DatasetFolder) -> None:
    add(folder, [drawn("01", (4, 40)), drawn("ab", (4, 40)), drawn("AB", (4, 40))], ["01", "aB", "Ab"])
    with Catalog(folder.catalog_path) as catalog:
        assert alphabet_of(catalog).characters == "01ABab"
        assert alphabet_of(catalog, "01ABCabc").characters == "01ABCabc"
        assert describe(catalog).case_sensitive


def test_a_reader_of_whole_captchas_cuts_where_it_sees_the_characters(folder: DatasetFolder) -> None:
    images, texts = uneven(12)
    ids = add(folder, images, texts[:6])

    class Seen:
        def __init__(self, boxes: tuple[tuple[int, int, int, int], ...] | None) -> None:
            self.boxes = boxes

    def read(pictures: Sequence[np.ndarray]) -> list[Seen]:
        """Sees two characters in each, and in the first nothing that it could place."""
        return [Seen(((2, 0, 22, 30), (30, 0, 50, 30)) if k else None) for k, _ in enumerate(pictures)]

    segmenter = Segmenter(glyphs=0, method="reader", run="whole")
    report = segment_dataset(folder, segmenter, by_hand=True, find=reader_cells(read))
    assert report.captchas == 12
    with Catalog(folder.catalog_path) as catalog:
        cuts = catalog.cuts()
        assert [len(cuts[k]) for k in ids[:6]] == [0] * 6  # labelled with other numbers of characters
        assert [len(cuts[k]) for k in ids[6:]] == [2] * 6
        assert catalog.box(ids[7], 1) == (30, 0, 50, 30)
        assert choose_segmenter(folder, catalog).method == "ink"  # it is never chosen without its reader
    glyphs = read_glyphs(folder)
    np.testing.assert_array_equal(glyphs.images[0], segmenter.crop([images[6]], [[(2, 0, 22, 30)]])[0])
