"""A regular expression of the user's on many names, in a process of its own: some patterns take longer than a life."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from captcha_lab.errors import CaptchaLabError

SECONDS = 20.0  # for all names; a million of them take two
_CODE = """
import json, re, sys
pattern, names = json.load(sys.stdin)
out = []
for name in names:
    found = re.search(pattern, name)
    group = None if found is None else "text" if "text" in found.groupdict() else min(found.re.groups, 1)
    out.append(None if found is None else found[group] or "")
json.dump(out, sys.stdout)
"""


def match_all(pattern: str, names: Sequence[str], seconds: float = SECONDS) -> list[str | None]:
    """What the pattern finds in each name: its group `text`, else its first group, else all it matches; None: nothing.

    Raises:
        CaptchaLabError: it is not done in time.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _CODE],
            input=json.dumps([pattern, list(names)]),
            capture_output=True,
            text=True,
            encoding="ascii",
            timeout=seconds,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise CaptchaLabError(
            f"--pattern {pattern!r} was not done with {len(names)} names after {seconds:g} s: repeats inside of "
            "repeats, as in (a+)+, take for ever; write it without."
        ) from None
    except (subprocess.CalledProcessError, OSError) as error:
        raise CaptchaLabError(f"--pattern {pattern!r} can't be tried: {error}.") from error
    found: list[str | None] = json.loads(done.stdout)
    return found
