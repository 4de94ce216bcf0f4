"""What an answer means: the one place where what was pressed becomes labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from captcha_lab.label.questions.types import Answer, Target

Mark = tuple[Target, str]  # a target and its label


def marks_of(
    answer: Answer, followers: Callable[[Target], Sequence[Target]]
) -> tuple[list[Mark], list[Mark]]:
    """Labels the person gave looking at that very glyph or captcha, and those that follow along.

    Args:
        answer: what the person said.
        followers: further targets that are sure to share a target's label.
    """
    question, value, left_out = answer.question, answer.value, answer.left_out
    # Of a cluster the person looked at its picture; the look-alikes follow it.
    looked_at = question.members[:1] if question.kind == "cluster" else question.members
    shown = [member for member in looked_at if member.target not in left_out]
    typed: list[Mark] = []
    spread: list[Mark] = []
    for member in shown:
        given = answer.corrections.get(member.target, value)
        if given is not None:
            typed.append((member.target, given))
        elif question.kind == "page" and member.proposal is not None:
            given = member.proposal
            spread.append((member.target, given))
        if given is not None and question.kind in ("cluster", "page"):
            spread += [(target, given) for target in followers(member.target) if target not in left_out]
    known = {target for target, _ in typed}
    return typed, list(dict(mark for mark in spread if mark[0] not in known).items())
