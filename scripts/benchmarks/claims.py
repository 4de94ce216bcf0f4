"""The claims of the four texts, each tested by small runs with several seeds and a rule that can fail.

A claim holds where its rule is kept with every seed that can tell, at least three; does not hold where it is kept with
none of them; and is not decided otherwise. Convolutional networks of the thesis are an eighth as wide as printed, so
that a run takes seconds; its fully connected ones are as printed. Runs are kept with --keep, so that the benchmark can
be continued.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from captcha_lab.cli.output import say, table
from captcha_lab.generate.explain.saturation import explain
from captcha_lab.generate.watching.weights import save_weight_histograms
from scripts.benchmarks._experiments import ARMS, Record, Runs
from scripts.benchmarks._generators import scratch
from scripts.benchmarks._machine import facts, show
from scripts.benchmarks._pictures import montage

GATHERED = 0.05  # share of a critic's weights at the limits from which on they count as gathered there
CLIP = 0.05  # the thesis's
ALIKE = 0.9  # a score of so much of another's counts as like it
FAILED = 0.5  # a score below so much of another's counts as failed beside it
FOLLOWS = 0.7  # rank correlation from which on a figure follows another
COLLAPSED, VARIED = 0.2, 0.5  # variance beside real ones': at most, and at least
SATURATED = 0.01  # share of the other gradient
LEAST = 3  # seeds that can tell

Found = tuple[bool | None, str]  # whether the rule was kept (None: this seed can't tell), and the figures
Take = Callable[[str], Record]  # an arm's run with one seed


@dataclass(frozen=True)
class Claim:
    """One sentence of a source and what is measured to test it."""

    name: str
    text: str
    source: str
    rule: str
    judge: Callable[[Take, int], Found]
    """From the runs of one seed, and the seed."""


def like(
    better: str, at: int, other: str, until: int, share: float = ALIKE, figure: str = "score"
) -> Callable[[Take, int], Found]:
    """One arm's figure at an iteration is at least such a share of another's at another iteration."""

    def judge(take: Take, seed: int) -> Found:
        first, second = take(better).at(at)[figure], take(other).at(until)[figure]
        return first >= share * second and first > 0, f"{first:.3f}, {second:.3f}"

    return judge


def fails_beside(arm: str, other: str, figure: str = "score") -> Callable[[Take, int], Found]:
    """One arm's last figure is below half of another's after as many iterations."""

    def judge(take: Take, seed: int) -> Found:
        record = take(arm)
        first, second = record.last[figure], take(other).at(record.arm.iterations)[figure]
        return first < FAILED * second, f"{first:.3f}, {second:.3f}"

    return judge


def survives(arm: str, other: str, figure: str = "score") -> Callable[[Take, int], Found]:
    """The opposite of `fails_beside`."""

    def judge(take: Take, seed: int) -> Found:
        failed, said = fails_beside(arm, other, figure)(take, seed)
        return not failed and take(arm).last[figure] > 0, said

    return judge


def collapse(arm: str) -> Callable[[Take, int], Found]:
    """At the end the samples vary at most a fifth as much as real images."""

    def judge(take: Take, seed: int) -> Found:
        variance = take(arm).last["variance_ratio"]
        return variance <= COLLAPSED, f"{variance:.3f}"

    return judge


def varies(arm: str) -> Callable[[Take, int], Found]:
    """At the end the samples vary at least half as much as real images."""

    def judge(take: Take, seed: int) -> Found:
        variance = take(arm).last["variance_ratio"]
        return variance >= VARIED, f"{variance:.3f}"

    return judge


def correlation(record: Record, figure: str) -> float:
    """Spearman's rank correlation of a figure with coverage over a run's evaluations; 0 where one is constant."""
    marks = record.evaluations
    sizes, scores = (
        [record.near(mark, figure) for mark in marks],
        [record.at(mark)["coverage"] for mark in marks],
    )
    found = float(spearmanr(sizes, scores).statistic)
    return 0.0 if math.isnan(found) else found


def follows(arm: str, figure: str) -> Callable[[Take, int], Found]:
    """The figure falls as coverage rises."""

    def judge(take: Take, seed: int) -> Found:
        found = -correlation(take(arm), figure)
        return found >= FOLLOWS, f"{found:.2f}"

    return judge


def does_not_follow(arm: str, figures: Sequence[str]) -> Callable[[Take, int], Found]:
    """None of the figures falls as coverage rises."""

    def judge(take: Take, seed: int) -> Found:
        found = [-correlation(take(arm), figure) for figure in figures]
        return max(found) < FOLLOWS, ", ".join(f"{value:.2f}" for value in found)

    return judge


def gathers(clipped: str, penalised: str) -> Callable[[Take, int], Found]:
    """At least a twentieth of the clipped critic's weights lie at the limits, and of the penalised one's not."""

    def judge(take: Take, seed: int) -> Found:
        first, second = (take(arm).at_limit(CLIP) for arm in (clipped, penalised))
        return first >= GATHERED > second, f"{100 * first:.1f} %, {100 * second:.1f} %"

    return judge


def more_modes(arm: str, plain: str) -> Callable[[Take, int], Found]:
    """More of the eight Gaussians are covered at the end."""

    def judge(take: Take, seed: int) -> Found:
        first, second = take(arm).modes(), take(plain).modes()
        # What covers everything cannot be mended.
        return None if second == 8 else first > second, f"{first}, {second}"

    return judge


def saturation(take: Take, seed: int) -> Found:
    """The gradient of the minimax loss at generated samples, beside the non-saturating one's, for a trained critic."""
    sizes = explain(seed).figures["gradient_at_generated"]
    return sizes["minimax"] <= SATURATED * sizes["gan"], f"{sizes['minimax']:.1e}, {sizes['gan']:.1e}"


_LIKE = f"first score at least {ALIKE:g} of the second"
_FASTER = "first score at least the second"
_MODES = "more modes than the plain GAN; not decided where that covers all eight"
CLAIMS = (
    Claim("update-advantage", "the update after 300 iterations is like WDCGAN after 460",
          "thesis 4.4, figs. 4-12, 4-13",
          _LIKE, like("wdcgan-update", 300, "wdcgan", 460)),
    Claim("wdcgan-early", "WDCGAN after 340 iterations is like DCGAN after 800", "thesis 4.3, fig. 4-11",
          _LIKE, like("wdcgan", 340, "dcgan", 800)),
    Claim("wdcgan-early-printed", "the same beside the DCGAN with the printed loss", "thesis 4.3, fig. 4-11",
          _LIKE, like("wdcgan", 340, "dcgan-printed", 800)),
    Claim("labels-help", "labels help: WDCGAN conditioned on the character is better after as many iterations",
          "thesis 4.5, fig. 4-15", "first coverage at least the second",
          like("wdcgan-label", 460, "wdcgan", 460, 1.0, "coverage")),
    Claim("fc-printed-collapses", "the fully connected GAN collapses (with the loss as printed)", "thesis, fig. 4-10",
          f"variance at most {COLLAPSED:g} of real", collapse("gan-fc-printed")),
    Claim("fc-gan-collapses", "the fully connected GAN collapses (the sigmoid applied once)", "thesis, fig. 4-10",
          f"variance at most {COLLAPSED:g} of real", collapse("gan-fc")),
    Claim("fc-wgan-does-not", "the same networks do not collapse with the Wasserstein loss", "thesis, fig. 4-9",
          f"variance at least {VARIED:g} of real", varies("wgan-fc")),
    Claim("estimate-follows", "the Wasserstein estimate follows the quality of the samples", "thesis 3; Arjovsky 2017",
          f"falls as coverage (recogniser's features) rises: rank correlation at least {FOLLOWS:g}",
          follows("wgan-fc", "wasserstein")),
    Claim("gan-losses-do-not", "a GAN's losses do not", "thesis 3; Arjovsky 2017",
          f"the same of both below {FOLLOWS:g}",
          does_not_follow("gan-fc", ("critic_loss", "generator_loss"))),
    Claim("clip-gathers-fc", "a clip makes weights gather at its limits, a penalty does not (fully connected)",
          "thesis 3; Gulrajani 2017, fig. 1b", f"at least {100 * GATHERED:g} %, and below",
          gathers("wgan-fc", "wgan-fc-gp")),
    Claim("clip-gathers-conv", "the same of the convolutional critics", "thesis 3; Gulrajani 2017, fig. 1b",
          f"at least {100 * GATHERED:g} %, and below", gathers("wdcgan-update", "wdcgan-gp")),
    Claim("penalty-faster-fc", "the penalty converges faster than the clip (fully connected), 794 iterations for 1,500",
          "thesis 6, fig. 6-3", f"first coverage at least {ALIKE:g} of the second",
          like("wgan-fc-gp", 794, "wgan-fc", 1500, figure="coverage")),
    Claim("penalty-faster-conv", "the penalty converges faster than the clip, after as many iterations",
          "thesis 6, fig. 6-1", _FASTER, like("wdcgan-gp", 300, "wdcgan-update", 300, 1.0)),
    Claim("gan-needs-norm", "without batch norm the DCGAN fails", "slides, WGAN; Arjovsky 2017, fig. 6",
          f"variance below {FAILED:g} of that with it", fails_beside("dcgan-bare", "dcgan", "variance_ratio")),
    Claim("wgan-survives", "where the WGAN survives", "slides, WGAN; Arjovsky 2017, fig. 6",
          f"variance at least {FAILED:g} of that with it", survives("wdcgan-bare", "wdcgan", "variance_ratio")),
    Claim("beta1", "Adam's beta1 of .9 fails where .5 works", "CS231n notebook",
          f"variance below {FAILED:g} of that with .5",
          fails_beside("digits-beta-9", "digits-beta-5", "variance_ratio")),
    Claim("minimax-saturates", "the minimax loss saturates where the other does not", "thesis 3; Goodfellow 2014",
          f"gradient at most {SATURATED:g} of the other", saturation),
    Claim("minibatch", "minibatch discrimination helps against collapse", "PML 17", _MODES,
          more_modes("ring-minibatch", "ring")),
    Claim("feature-matching", "feature matching helps against collapse", "PML 17", _MODES,
          more_modes("ring-feature-matching", "ring")),
    Claim("replay", "experience replay helps against collapse", "PML 17", _MODES, more_modes("ring-replay", "ring")),
)  # fmt: skip


def verdict(kept: Sequence[bool | None]) -> str:
    """What the seeds say together: at least three of them that can tell, and all alike."""
    clear = [one for one in kept if one is not None]
    if len(clear) < LEAST or len(set(clear)) > 1:
        return "not decided"
    return "holds" if clear[0] else "does not hold"


def tested(claim: Claim, runs: Runs, seeds: Sequence[int]) -> dict[str, Any]:
    """Train what the claim needs and apply its rule to each seed."""
    found = []
    for seed in seeds:

        def take(arm: str, seed: int = seed) -> Record:
            return runs.record(arm, seed)

        found.append(claim.judge(take, seed))
    kept = [one for one, _ in found]
    return {
        **{key: getattr(claim, key) for key in ("name", "text", "source", "rule")},
        "kept": kept,
        "figures": [said for _, said in found],
        "verdict": verdict(kept),
    }


def report(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table."""
    heads = ("claim", "source", "rule", "figures, seed by seed", "verdict")
    cells = [(r["text"], r["source"], r["rule"], "; ".join(r["figures"]), r["verdict"]) for r in rows]
    return table(heads, cells, "the claims, tested")


def draw(runs: Runs, picture: Path | None, critics: Path | None) -> None:
    """Samples of every arm that has a run with seed 0, and the critics' weights of those with a clip or a penalty."""
    known = [runs.record(arm, 0) for arm in ARMS if runs.has(arm, 0)]
    images = [record for record in known if record.arm.dataset != "ring"]
    if picture is not None and images:
        montage(picture, [(f"{r.arm.name}, {r.arm.iterations} iterations", r.sheet()) for r in images])
    held = {r.arm.name: np.concatenate(list(r.weights().values())) for r in known if r.constrained}
    if critics is not None and held:
        save_weight_histograms(critics, held, CLIP)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [claim.name for claim in CLAIMS]
    parser.add_argument(
        "--only", nargs="*", choices=names, default=names, metavar="NAME", help=", ".join(names)
    )
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2], help="[default: 0 1 2]")
    parser.add_argument("--keep", type=Path, help="a folder in which runs stay, to go on from later")
    parser.add_argument("--picture", type=Path, help="write samples of every run with seed 0, as PNG")
    parser.add_argument("--critics", type=Path, help="write histograms of critics' weights, as PNG")
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    options = parser.parse_args()
    with scratch(options.keep) as workspace:
        runs, rows = Runs(workspace), []
        for claim in CLAIMS:
            if claim.name in options.only:
                rows.append(tested(claim, runs, options.seeds))
                say(f"{claim.name}: {rows[-1]['verdict']} ({'; '.join(rows[-1]['figures'])})")
        draw(runs, options.picture, options.critics)
    if not options.json:
        show(report(rows))
    print(json.dumps({"machine": facts(), "seeds": options.seeds, "claims": rows}))


if __name__ == "__main__":
    main()
