"""Four distances between distributions, where they say something and where they do not."""

from __future__ import annotations

from typing import Any

import numpy as np

from captcha_lab.generate.explain.topic import Explanation, Topic
from captcha_lab.metrics.toy import (
    discrete,
    js_divergence,
    kl_divergence,
    parallel_lines,
    total_variation,
    transport,
)

P, Q = np.array([0.5, 0.3, 0.2, 0.0]), np.array([0.1, 0.2, 0.3, 0.4])
THETAS = np.linspace(-1, 1, 41)


def explain(seed: int) -> Explanation:
    """Parallel lines at a distance, and two distributions on four places with their transport plan (no draws)."""
    places = np.arange(len(P))
    plan = transport(P, Q, np.abs(places[:, None] - places[None]))
    lines = [parallel_lines(theta) for theta in THETAS]
    apart = parallel_lines(0.5)
    both = discrete(Q, P)
    figures = {
        "lines": {
            "theta": 0.5,
            "kl": None,
            "total_variation": apart.total_variation,
            "js": apart.js,
            "wasserstein": apart.wasserstein,
        },
        "places": {
            "p": P.tolist(),
            "q": Q.tolist(),
            "kl_p_q": kl_divergence(P, Q),
            "kl_q_p": None if np.isinf(both.kl) else both.kl,
            "total_variation": total_variation(P, Q),
            "js": js_divergence(P, Q),
            "wasserstein": plan.cost,
            "plan": plan.plan.tolist(),
        },
    }
    paragraph = (
        "Two uniform distributions on parallel lines have nothing in common as soon as the lines part, "
        "however little. "
        f"At distance 0.5 KL is infinite, the total variation is {apart.total_variation:g} and JS is "
        f"{apart.js:.3f} = "
        f"log 2; at distance 0.01 they are the same, so their derivative is 0. The Wasserstein distance is "
        f"{apart.wasserstein:g}, the distance itself, with derivative 1: a generator that minimises it is "
        f"drawn to the "
        "real line, one that minimises JS (a GAN against a perfect critic) is not. Below, two distributions on four "
        f"places: KL(p, q) is {kl_divergence(P, Q):.3f} and KL(q, p) infinite, since p is 0 where q is not; JS is "
        f"{js_divergence(P, Q):.3f}, the total variation {total_variation(P, Q):.2f}. The cheapest way to turn "
        f"p into "
        f"q moves the masses of the plan and costs {plan.cost:.2f}: that is the Wasserstein distance."
    )

    def draw(figure: Any) -> None:
        left, middle, right = figure.subplots(1, 3)
        left.plot(THETAS, [d.wasserstein for d in lines], label="Wasserstein")
        left.plot(THETAS, [d.js for d in lines], label="JS")
        left.plot(THETAS, [d.total_variation for d in lines], label="total variation", linestyle="--")
        left.set_xlabel("distance of the lines")
        left.set_title("parallel lines (KL: infinite)")
        left.legend(fontsize="small")
        middle.bar(places - 0.2, P, 0.4, label="p")
        middle.bar(places + 0.2, Q, 0.4, label="q")
        middle.set_title("two distributions")
        middle.legend(fontsize="small")
        right.imshow(plan.plan, cmap="Blues", vmin=0)
        for (row, column), mass in np.ndenumerate(plan.plan):
            if mass > 1e-9:  # the more mass, the darker the cell
                colour = "white" if mass > plan.plan.max() / 2 else "black"
                right.text(column, row, f"{mass:.1f}", ha="center", va="center", color=colour)
        right.set_title(f"transport plan, cost {plan.cost:.2f}")
        right.set_xlabel("to place (q)")
        right.set_ylabel("from place (p)")

    return Explanation(paragraph, figures, draw)


TOPIC = Topic(
    "distances",
    "KL, total variation, JS and Wasserstein between two lines and between small distributions",
    "thesis, Wasserstein chapter; Arjovsky et al. 2017, example 1; GAN slides",
    explain,
)
