"""The thesis's table: its systems at its own iteration counts, beside the grids it printed, and which claims hold.

Of distances the baseline at the same sample size is taken off, since a printed grid has 256 samples and ours more.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captcha_lab.cli.output import say, table
from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.generators.printed import load_grids
from captcha_lab.evaluate.generators.result import CandidateResult
from captcha_lab.generate.choose import Choice
from captcha_lab.generate.recipes import get_recipe
from captcha_lab.generate.training.config import GeneratorConfig
from captcha_lab.generate.watching.weights import (
    CRITIC,
    run_layer_weights,
    save_weight_histograms,
    share_at_limit,
)
from captcha_lab.store.runs import Run
from scripts.benchmarks._generators import beyond_baseline, figures, prepared, train_and_score
from scripts.benchmarks._machine import facts, shared_data, show
from scripts.benchmarks._pictures import montage

LayerWeights = Mapping[str, NDArray[np.floating]]  # of a critic, by layer
# Recipe, iterations in the thesis, its seconds (None: not printed), the printed grid.
SYSTEMS = (
    ("gan-fc-printed", 8500, None, "fig4-10-gan-fc"),
    ("gan-fc", 8500, None, "fig4-10-gan-fc"),
    ("wgan-fc", 8500, 171, "fig4-09-wgan-fc-8500"),
    ("dcgan", 800, 184, "fig4-06-dcgan-0800"),
    ("dcgan-printed", 800, 184, "fig4-06-dcgan-0800"),
    ("wdcgan", 460, 104, "fig4-12-wdcgan-0460"),
    ("wdcgan-update", 300, 83, "fig4-13-wdcgan-update-0300"),
    ("dcgan-label", 780, 187, "fig4-15-dcgan-label-0780"),
    ("dcgan-label-printed", 780, 187, "fig4-15-dcgan-label-0780"),
    ("wdcgan-label", 580, 137, "fig4-15-wdcgan-label-0580"),
    ("wdcgan-update-label", 280, 78, "fig4-15-wdcgan-label-update-0280"),
    ("wdcgan-gp", 860, 237, "fig6-1-wdcgan-gp-0860"),
    ("wgan-fc-gp", 4500, 101, "fig6-3-wgan-fc-gp-4500"),
)
# What the thesis says; (better or equal, the other): "a is at least about as good as b".
CLAIMS = (
    ("WDCGAN after 460 iterations is at least like DCGAN after 800", "wdcgan", "dcgan"),
    ("the update after 300 iterations is like WDCGAN after 460", "wdcgan-update", "wdcgan"),
    ("labelled WDCGAN after 580 is like labelled DCGAN after 780", "wdcgan-label", "dcgan-label"),
    (
        "the labelled update after 280 is like labelled WDCGAN after 580",
        "wdcgan-update-label",
        "wdcgan-label",
    ),
    ("labels help: labelled WDCGAN beats the plain one", "wdcgan-label", "wdcgan"),
)
COLLAPSE = "fully connected networks collapse with cross-entropy and not with the Wasserstein loss"
GATHER = "the clip makes the weights of {}'s critic gather at its limits, and the penalty of {} does not"
GATHERED = 0.05  # share of all weights at the limits from which on they count as gathered there
CLIPPED = (("wgan-fc", "wgan-fc-gp"), ("wdcgan", "wdcgan-gp"))  # each beside the same networks with a penalty
LIKE = 1.2  # a distance up to so many times the other's counts as like it


def row(result: CandidateResult) -> dict[str, Any]:
    return {
        **figures(result),
        "beyond_baseline": beyond_baseline(result),
        "faults": list(result.verdict.faults),
    }


def measure(
    scale: float, config: EvalConfig, names: list[str], seeds: list[int], keep: Path | None,
    picture: Path | None, critics: Path | None,
) -> dict[str, Any]:  # fmt: skip
    """Score the printed grids, train the named systems with each seed, score them the same way."""
    with prepared(config, keep=keep) as bench:
        grids = load_grids(shared_data() / "thesis-figures", bench.evaluator.real)
        printed = {c.name: row(bench.evaluator.measure(c)) for c in grids.candidates}
        rows, sheets, weights = [], [], {}
        for (recipe, iterations, seconds, figure), seed in product(SYSTEMS, seeds):
            if recipe not in names:
                continue
            say(f"{recipe}, {iterations} iterations, seed {seed} …")
            length = GeneratorConfig(iterations=max(1, round(scale * iterations)), seed=seed)
            trained = train_and_score(bench, Choice(recipe=recipe), length, f"{recipe}-{scale:g}-{seed}")
            run = Run.open(bench.workspace.models / f"{recipe}-{scale:g}-{seed}")
            if seed == seeds[0]:
                sheets.append((f"{recipe}, {trained.iterations} iterations", trained.sheet))
            if (run.root / CRITIC).is_file():
                weights[recipe, seed] = run_layer_weights(run)
            rows.append(
                {
                    "recipe": recipe,
                    "seed": seed,
                    "iterations": trained.iterations,
                    "seconds": trained.seconds,
                    "thesis_seconds": seconds,
                    "figure": figure,
                    "ours": row(trained.result),
                    "printed": printed[figure],
                    "alarms": list(trained.alarms),
                }
            )
    limit = get_recipe(CLIPPED[0][0]).clip
    if picture is not None:
        montage(picture, sheets)
    first = {recipe: layers for (recipe, seed), layers in weights.items() if seed == seeds[0]}
    shown = {
        name: np.concatenate(list(first[name].values())) for pair in CLIPPED for name in pair if name in first
    }
    if critics is not None and shown:
        save_weight_histograms(critics, shown, limit)
    judgements = []
    for seed in seeds:
        ours: dict[str, Any] = {str(r["recipe"]): r["ours"] for r in rows if r["seed"] == seed}
        own = {recipe: layers for (recipe, of), layers in weights.items() if of == seed}
        found = [*claims(ours, scale), *(gather_claim(*pair, own, limit, scale) for pair in CLIPPED)]
        judgements += [{"seed": seed, **each} for each in found]
    return {"machine": facts(), "scale": scale, "seeds": seeds, "rows": rows, "claims": judgements}


def claims(ours: dict[str, Any], scale: float) -> list[dict[str, Any]]:
    """Every claim with `holds` true, false, or None where this run cannot tell.

    A claim names iteration counts, so a run of another length says nothing about it.
    """
    if scale != 1.0:
        why = f"the run was {scale:g} times as long as the thesis's"
        texts = [*(text for text, _, _ in CLAIMS), COLLAPSE]
        return [judged(text, None, why) for text in texts]
    return [*(claim(text, ours, better, other) for text, better, other in CLAIMS), collapse_claim(ours)]


def claim(text: str, ours: dict[str, Any], better: str, other: str) -> dict[str, Any]:
    """Whether one system is at least about as near to real glyphs as another."""
    if better not in ours or other not in ours:
        return judged(text, None, "not both were trained")
    failed = [name for name in (better, other) if set(ours[name]["faults"]) & {"collapsed", "noise"}]
    if better in failed and other in failed:
        return judged(text, None, f"neither {better} nor {other} made glyphs")
    first, second = ours[better]["beyond_baseline"], ours[other]["beyond_baseline"]
    said = f"{better} {first:.0f}, {other} {second:.0f} beyond the baseline's Fréchet distance"
    return judged(text, better not in failed and (other in failed or first <= LIKE * second), said)


def collapse_claim(ours: dict[str, Any]) -> dict[str, Any]:
    """Figures 4-9 and 4-10: the same networks under two losses."""
    if not {"gan-fc-printed", "wgan-fc"} <= set(ours):
        return judged(COLLAPSE, None, "not both were trained")
    gan, wgan = "collapsed" in ours["gan-fc-printed"]["faults"], "collapsed" in ours["wgan-fc"]["faults"]
    said = f"gan-fc-printed {'collapsed' if gan else 'did not collapse'}, wgan-fc {'collapsed' if wgan else 'did not'}"
    return judged(COLLAPSE, gan and not wgan, said)


def gather_claim(
    clipped: str, penalised: str, weights: Mapping[str, LayerWeights], limit: float, scale: float
) -> dict[str, Any]:
    """The Wasserstein chapter's remark on weight clipping, for a clipped critic and the same one with a penalty.

    It holds where at least a twentieth of all the clipped critic's weights lie at the limits, and of the other's not.
    """
    text = GATHER.format(clipped, penalised)
    if scale != 1.0 or clipped not in weights or penalised not in weights:
        return judged(text, None, "the critics were not trained as long as the thesis's")
    shares = {
        name: share_at_limit(np.concatenate(list(weights[name].values())), limit)
        for name in (clipped, penalised)
    }
    layers = ", ".join(
        f"{layer} {100 * share_at_limit(values, limit):.1f} %" for layer, values in weights[clipped].items()
    )
    said = (
        f"{100 * shares[clipped]:.1f} % of all weights at the limits ({layers}), {penalised} "
        f"{100 * shares[penalised]:.1f} %"
    )
    return judged(text, shares[clipped] >= GATHERED > shares[penalised], said)


def judged(text: str, holds: bool | None, said: str) -> dict[str, Any]:
    """A claim with the sentence that says whether it was seen."""
    start = {True: "Holds here", False: "Does not hold here", None: "Not judged"}[holds]
    return {"claim": text, "holds": holds, "sentence": f"{start}: {text} ({said})."}


def report(done: dict[str, Any]) -> str:
    """Ours beside the printed grids, then the claims."""

    def share(values: dict[str, Any]) -> str:
        return "–" if values["gan_test"] is None else f"{100 * values['gan_test']:.1f}"

    heads = [
        "recipe",
        "seed",
        "iterations",
        "seconds",
        "its",
        "reads",
        "its",
        "recall",
        "its",
        "beyond baseline",
        "its",
        "faults",
    ]
    rows = [
        [
            r["recipe"], r["seed"], r["iterations"], f"{r['seconds']:.0f}", r["thesis_seconds"] or "–",
            share(r["ours"]), share(r["printed"]),
            f"{100 * r['ours']['recall']:.0f}", f"{100 * r['printed']['recall']:.0f}",
            f"{r['ours']['beyond_baseline']:.0f}", f"{r['printed']['beyond_baseline']:.0f}",
            ", ".join(r["ours"]["faults"]),
        ]
        for r in done["rows"]
    ]  # fmt: skip
    return "\n".join(
        [
            table(heads, rows, "ours; 'its' is the thesis's printed grid"),
            *(f"Seed {c['seed']}: {c['sentence']}" for c in done["claims"]),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--scale", type=float, default=1.0, help="multiply the thesis's iteration counts (for a try)"
    )
    known = [name for name, *_ in SYSTEMS]
    parser.add_argument(
        "--recipes", nargs="*", choices=known, default=known, help="only these [default: all]"
    )
    parser.add_argument("--seeds", nargs="*", type=int, default=[0], help="of the trainings [default: 0]")
    parser.add_argument(
        "--keep",
        type=Path,
        help="a folder in which runs stay: finished ones are not trained again, others go on",
    )
    parser.add_argument("--gan-train", action="store_true", help="add the slowest measure")
    parser.add_argument("--picture", type=Path, help="write samples of every system side by side, as PNG")
    parser.add_argument("--critics", type=Path, help="write histograms of critics' weights, as PNG")
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    options = parser.parse_args()
    done = measure(
        options.scale, EvalConfig(gan_train=options.gan_train), options.recipes, options.seeds, options.keep,
        options.picture, options.critics,
    )  # fmt: skip
    if not options.json:
        show(report(done))
    print(json.dumps(done))


if __name__ == "__main__":
    main()
