"""What the built-in endpoint may be asked to be; imports nothing heavy, so that `--help` can show defaults."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from captcha_lab.alphabet import Alphabet
from captcha_lab.collect.endpoint.traits import MAX_LENGTH, STYLES, Style, Traits
from captcha_lab.errors import UsageError

ANSWER_HEADER = "X-Captcha-Answer"
STYLE_HEADER = "X-Captcha-Style"  # JSON: style, alphabet and traits


@dataclass(frozen=True)
class EndpointConfig:
    """One built-in endpoint.

    Raises:
        UsageError: an unknown style, an impossible length, port or alphabet.
    """

    style: str = "classic"
    port: int = 8700  # 0: any free port
    length: int | str = ""  # characters of a captcha, "5" or "3-8"; the style's own where empty
    alphabet: str = ""  # the style's own where empty
    # None: drawn from the system, so that a restarted endpoint does not repeat itself
    seed: int | None = None
    with_answers: bool = False
    faults: str = ""  # see collect.endpoint.faults

    def __post_init__(self) -> None:
        if self.style not in STYLES:
            raise UsageError(f"There is no style {self.style!r}: choose one of {', '.join(STYLES)}.")
        if not 1 <= self.traits.shortest <= self.traits.longest <= MAX_LENGTH:
            raise UsageError(f"--length {self.length}: a captcha has 1 to {MAX_LENGTH} characters.")
        if not 0 <= self.port <= 65535:
            raise UsageError(f"--port {self.port}: ports are 0 (any free one) to 65535.")
        if self.seed is not None and self.seed < 0:
            raise UsageError(f"--seed {self.seed}: seeds are 0 or more.")
        Alphabet(self.characters)

    @property
    def _style(self) -> Style:
        return STYLES[self.style]

    @property
    def characters(self) -> str:
        """The characters to draw from."""
        return self.alphabet or self._style.alphabet

    @property
    def traits(self) -> Traits:
        """The style's traits, with the length asked for."""
        if self.length == "":
            return self._style.traits
        first, _, last = str(self.length).partition("-")
        try:
            return replace(self._style.traits, shortest=int(first), longest=int(last or first))
        except ValueError:
            raise UsageError(f"--length {self.length}: give a number, or a range such as 3-8.") from None

    def description(self) -> dict[str, object]:
        """What draws such captchas again, though not the same ones."""
        return {"style": self.style, "alphabet": self.characters, "traits": asdict(self.traits)}
