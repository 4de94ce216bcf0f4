"""How politely to scrape, and what came of it; imports nothing heavy, so that `--help` can show defaults."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from captcha_lab.collect.frame_choice import check_frame
from captcha_lab.errors import CaptchaLabError, UsageError


@dataclass(frozen=True)
class ScrapeConfig:
    """Limits of one scrape; times in seconds.

    Raises:
        UsageError: a number that makes no sense, or a contact that can't stand in a header.
    """

    count: int = 500  # captchas the dataset shall have received in all, duplicates included
    rate: float | None = None  # requests a second at most; None: 1, and on loopback as fast as it answers
    contact: str = ""  # sent in the User-Agent
    authorised: bool = False  # the user says so beforehand (--i-am-authorised)
    cookies: bool = False  # keep and send the site's cookies
    json_field: str = ""  # path of the field with the picture, where the reply is JSON
    frame: str | None = None  # of an animation: a number from 1, or "merge"
    ca: str = ""  # file of certificate authorities to trust
    proxy: str = ""  # URL of a proxy
    environment: bool = False  # use the proxies and certificate authorities that the environment names
    max_bytes: int = 1 << 20  # a captcha of a megabyte is none
    silence: float = 10.0  # give up after so long without a byte …
    deadline: float = 30.0  # … or when the whole reply took so long
    max_wait: float = 300.0  # a longer Retry-After ends the run
    max_failures: int = 5  # attempts in a row without an image that end the run
    jitter: float = 0.25  # a random share of up to this is added to every delay

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(f"--count {self.count}: ask for at least 1 captcha.")
        if self.rate is not None and not (math.isfinite(self.rate) and self.rate > 0):
            raise UsageError(f"--rate {self.rate}: requests a second must be more than 0.")
        if self.proxy and not re.fullmatch(r"https?://[\x21-\x7e]+", self.proxy):
            raise UsageError(f"--proxy {self.proxy!r} is not a URL as http://proxy.example.org:8080.")
        check_frame(self.frame)
        if self.json_field and not all(self.json_field.split(".")):
            raise UsageError(f"--json-field {self.json_field!r} is no path of names with dots between.")
        if self.contact and not re.fullmatch(
            r"[\x21-\x7e]+@[\x21-\x7e]+|https?://[\x21-\x7e]+", self.contact
        ):
            raise UsageError(f"--contact {self.contact!r} is neither a mail address nor a URL.")


@dataclass(frozen=True)
class ScrapeResult:
    """What a scrape did; numbers are of this run except `total` and `distinct`, which are the dataset's."""

    dataset: str
    url: str
    count: int  # asked for
    total: int  # received so far, duplicates included
    distinct: int  # different images in the dataset
    stored: int
    duplicates: int
    refused: int  # replies that were no acceptable image
    failed: int  # attempts without a usable reply
    seconds: float
    warnings: tuple[str, ...] = ()


class ScrapeStopped(CaptchaLabError):  # noqa: N818 - a stop, not a fault
    """The run ended before its count, for the reason in the message; `result` says how far it came.

    `resume_at` is in Unix seconds where the site said when to come back.
    """

    def __init__(self, reason: str, result: ScrapeResult, resume_at: float | None = None) -> None:
        super().__init__(
            f"{reason} {result.total} of {result.count} captchas are in dataset {result.dataset!r}; "
            "the same command goes on from there."
        )
        self.result = result
        self.resume_at = resume_at
