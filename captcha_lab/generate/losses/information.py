"""InfoGAN (Chen et al. 2016): cross-entropy, and a bound on what an image tells of the codes it was made from."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from captcha_lab.errors import UsageError
from captcha_lab.generate.losses.base import LossFamily
from captcha_lab.generate.losses.gan import NonSaturating
from captcha_lab.generate.networks.base import Criticism
from captcha_lab.generate.players.draws import Pair
from captcha_lab.generate.players.game import Figures, Game
from captcha_lab.generate.recipe import Recipe

CODES = {"categories": 32, "continuous": 2}  # options of the networks; 32: as many as the thesis's characters


class Information(NonSaturating):
    """Chen et al. 2016, eq. 5 and 6: V(D, G) - lambda L_I(G, Q), L_I = E[log Q(c | G(z, c))] + H(c) <= I(c; G(z, c)).

    Q is a head of the critic, and both players' steps raise L_I, as in the authors' program.

    Args:
        weight: lambda of the categorical code; 1 in the paper.
        continuous_weight: lambda of the continuous codes, smaller so that their term is of the scale of the
            loss (appendix C).
        smoothing: see `NonSaturating`.
    """

    def __init__(self, weight: float = 1.0, continuous_weight: float = 0.1, smoothing: float = 0.0) -> None:
        super().__init__(smoothing)
        self.weight, self.continuous_weight = weight, continuous_weight

    def information(self, game: Game, judged: Criticism) -> tuple[Tensor, Tensor]:
        """Weighted mean log Q(c | x), and L_I in nats, of the images made last."""
        head = None if game.players.critic is None else game.players.critic.code_head
        if head is None or judged.code is None:
            raise UsageError(
                'The loss infogan needs networks with codes: --set options={"categories": 10} on the family dcgan.'
            )
        if game.replay is not None:
            raise UsageError(
                "The loss infogan does not go with replay: the codes of old samples are not kept."
            )
        named, density = head.log_likelihood(judged.code, game.noise_made)
        return self.weight * named + self.continuous_weight * density, (
            named + density
        ).detach() + head.entropy

    def criticised(
        self, game: Game, pairs: list[Pair], judged: list[Criticism], leaves: list[Tensor]
    ) -> tuple[Tensor, Figures]:
        """See `Adversarial.criticised`; the critic's head learns to read the codes."""
        total, figures = super().criticised(game, pairs, judged, leaves)
        term, bound = self.information(game, judged[1])
        return total - term, figures | {"information": bound}

    def generated(
        self, game: Game, real: Pair, judged: Criticism, condition: Tensor | None
    ) -> tuple[Tensor, Figures]:
        """See `Adversarial.generated`; the generator makes its codes readable."""
        total, figures = super().generated(game, real, judged, condition)
        return total - self.information(game, judged)[0], figures


def with_codes(recipe: Recipe, name: str) -> Recipe:
    """The recipe with the loss, on networks with codes."""
    options = {**CODES, **recipe.options} if recipe.network == "dcgan" else recipe.options
    return replace(recipe, loss=name, loss_options={}, options=options)


LOSSES = (
    LossFamily(
        "infogan", "cross-entropy and readable codes; Chen et al. 2016", Information,
        recipe="infogan", face_recipe=None, apply=with_codes, exclusive_options=CODES,
    ),
)  # fmt: skip
