"""What the built-in endpoint may be asked to be; imports nothing heavy, so that `--help` can show defaults."""

from __future__ import annotations

from dataclasses import dataclass

from captcha_lab.alphabet import THESIS_ALPHABET, Alphabet
from captcha_lab.errors import UsageError

STYLES = ("classic", "image")
ANSWER_HEADER = "X-Captcha-Answer"
MAX_LENGTH = 16


@dataclass(frozen=True)
class EndpointConfig:
    """One built-in endpoint.

    Raises:
        UsageError: an unknown style, an impossible length, port or alphabet.
    """

    style: str = "classic"
    port: int = 8700  # 0: any free port
    length: int = 4
    alphabet: str = THESIS_ALPHABET
    seed: int | None = (
        None  # None: drawn from the system, so that a restarted endpoint does not repeat itself
    )
    with_answers: bool = False
    faults: str = ""  # see collect.endpoint_faults

    def __post_init__(self) -> None:
        if self.style not in STYLES:
            raise UsageError(f"There is no style {self.style!r}: choose one of {', '.join(STYLES)}.")
        if not 1 <= self.length <= MAX_LENGTH:
            raise UsageError(f"--length {self.length}: a captcha has 1 to {MAX_LENGTH} characters.")
        if not 0 <= self.port <= 65535:
            raise UsageError(f"--port {self.port}: ports are 0 (any free one) to 65535.")
        if self.seed is not None and self.seed < 0:
            raise UsageError(f"--seed {self.seed}: seeds are 0 or more.")
        Alphabet(self.alphabet)
