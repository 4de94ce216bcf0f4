"""The report: self-contained, the same for the same seed, right in JSON, readable in a browser."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

from captcha_lab.evaluate.generators.candidate import Candidate, Training
from captcha_lab.evaluate.generators.core import Evaluator
from captcha_lab.evaluate.judging.judge import JUDGE
from captcha_lab.evaluate.readers import main_reader, reader_measures
from captcha_lab.evaluate.reading.glyphs import measure_glyphs
from captcha_lab.evaluate.real import RealData
from captcha_lab.evaluate.report.report import Report, report_json, verdict_sentence
from captcha_lab.evaluate.report.write import write_report
from captcha_lab.generate.watching.pictures import curves_figure
from captcha_lab.generate.watching.weights import weight_histograms
from captcha_lab.recognise.classifier import Classifier
from captcha_lab.store.packed.packed import PackedSet
from tests.evaluate.drawn_world import draw_glyphs
from tests.evaluate.page_checks import check_page
from tests.helpers import present

HISTORY = [
    {"kind": "train", "iteration": k, "seconds": k / 2, "critic_loss": 1.0 / k, "wasserstein": 0.1}
    for k in (1, 2, 3)
] + [{"kind": "evaluation", "iteration": 3, "seconds": 1.5, "recall": 0.5, "score": 0.4}]  # fmt: skip


ANIMATION = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw==")


@pytest.fixture(scope="module")
def report(evaluator: Evaluator, recogniser: Classifier, world: PackedSet) -> Any:
    evil = Candidate(
        "<script>alert(1)</script>",
        lambda labels, count, seed: draw_glyphs(labels, seed),
        labelled=True,
        facts={"run": "r", "history": HISTORY, "recipe": "fast & <loose>"},
        training=lambda: Training(
            [(3, draw_glyphs([0], 1)[0])],
            ANIMATION,
            lambda: curves_figure(HISTORY),
            lambda: weight_histograms({"dense": np.linspace(-0.05, 0.05, 50, dtype=np.float32)}, 0.05),
        ),
    )
    still = Candidate("still", images=np.repeat(draw_glyphs([0], 1), 40, axis=0))
    evaluation = evaluator.run([evil, still])
    reading = measure_glyphs(recogniser, world)
    return Report(
        verdict_sentence(evaluation, reading), evaluation, reading, "drawn", "captcha-lab eval", ["a <note>"]
    )


@pytest.fixture(scope="module")
def page(report: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("report")
    write_report(report, folder)
    return folder


def test_json_holds_every_figure_with_its_baseline(page: Any, evaluator: Evaluator) -> None:
    report = json.loads((page / "report.json").read_text())
    assert {"verdict", "leaderboard", "floors", "recogniser", "command", "config"} <= set(report)
    best = report["leaderboard"][0]
    assert best["figures"]["gan_test"]["low"] <= best["figures"]["gan_test"]["value"]
    for candidate in report["leaderboard"]:
        floor = report["floors"][str(candidate["distance_samples"])]
        assert set(candidate["figures"]) <= set(floor) <= set(reader_measures(evaluator.readers))
    assert report["leaderboard"][1]["faults"] == ["collapsed"]
    assert report["leaderboard"][1]["distance_samples"] == 40
    assert report["recogniser"]["expected_calibration_error"] < 0.2


def test_page_needs_no_network_and_escapes_what_it_shows(page: Any) -> None:
    html = (page / "report.html").read_text()
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "a &lt;note&gt;" in html
    addresses = set(re.findall(r'(?:src|href)="([^"#]{1,60})', html)) | set(
        re.findall(r"url\((\S{1,40})", html)
    )
    assert all(address.startswith(("data:", "#")) for address in addresses), addresses
    assert "prefers-color-scheme: dark" in html
    for part in (
        "Leaderboard",
        "Samples as training went on",
        "samples as training went on, animated",
        "Learning curves",
        "Wasserstein estimate: mean real - mean fake score",
        "The critic's weights, layer by layer",
        "% at ±0.05",
        "Nearest to the training set",
        "Every measure",
        "Configuration",
    ):
        assert part in html


def test_ids_of_pictures_are_unique(page: Any) -> None:
    ids = re.findall(r'\sid="([^"]+)"', (page / "report.html").read_text())
    assert ids
    assert len(ids) == len(set(ids))


def test_the_same_seed_gives_the_same_report(
    report: Any, evaluator: Evaluator, page: Any, tmp_path: Path
) -> None:
    again = evaluator.run([Candidate("<script>alert(1)</script>", evaluator_sampler, labelled=True)])
    first = report_json(report)["leaderboard"][0]["figures"]
    assert report_json(Report("", again, None, "", ""))["leaderboard"][0]["figures"] == first
    write_report(report, tmp_path)
    for name in ("report.json", "report.html"):
        assert (tmp_path / name).read_bytes() == (page / name).read_bytes()


def evaluator_sampler(labels: Any, count: Any, seed: Any) -> Any:
    return draw_glyphs(labels, seed)


def test_seeds_widen_into_intervals(real: RealData, recogniser: Classifier) -> None:
    from dataclasses import replace

    from tests.evaluate.drawn_world import CONFIG

    config = replace(CONFIG, seeds=2, gan_train=False, samples=120)
    result = Evaluator(real, main_reader(recogniser), config).measure(
        Candidate("r", evaluator_sampler, labelled=True)
    )
    value = result.figures["frechet"]
    assert present(value.low) < value.value < present(value.high)
    assert result.read_samples == 240
    assert present(result.baseline["frechet"].low) < present(result.baseline["frechet"].high)


@pytest.mark.browser
def test_a_browser_shows_it_on_a_phone_a_desk_and_paper(page: Any, chromium: Browser) -> None:
    check_page(chromium, page / "report.html")


@pytest.mark.slow
def test_a_hundred_thousand_samples_stay_within_memory(
    real: RealData, recogniser: Classifier, judge: Any
) -> None:
    """Peak of the whole process, beyond what it holds already: 400 MB for 100,000 samples."""
    import resource
    from dataclasses import replace

    from tests.evaluate.drawn_world import CONFIG

    pool = draw_glyphs(np.arange(600) % 6, 9)

    def sampler(labels: Any, count: Any, seed: Any) -> Any:
        rng = np.random.default_rng(seed)
        noisy = pool[labels + 6 * rng.integers(0, 100, count)] - rng.integers(0, 20, (count, 20, 20))
        return np.clip(noisy, 0, 255).astype(np.uint8)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    config = replace(CONFIG, samples=100_000, batch_size=1000, gan_train=False)
    result = Evaluator(real, main_reader(recogniser) | {"judge": judge.as_reader(JUDGE)}, config).measure(
        Candidate("many", sampler, labelled=True)
    )
    assert result.read_samples == 100_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # KiB
