"""Steps of a person before the real page, for the tests in Chromium."""

from __future__ import annotations

from typing import Any

from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog

PATIENCE = 30000  # milliseconds until a step counts as failed; many programs may want the processor


def open_page(context: Any, served: Any, queue: str | None = None, queues: int = 7) -> Any:
    made = context.new_page()
    made.problems = []
    made.on("pageerror", lambda error: made.problems.append(str(error)))
    made.on("console", lambda note: made.problems.append(note.text) if note.type == "error" else None)
    made.goto(served.url)
    made.wait_for_selector(f"#queues button:nth-child({queues})")  # the engine is there
    if queue:
        choose(made, queue)
    made.wait_for_selector(".question:not(.empty)")
    return made


def choose(page: Any, title: str) -> None:
    page.click(f"#queues button:has-text('{title}')")
    page.wait_for_selector(f"#queues button[aria-current]:has-text('{title}')")


def saved(page: Any, count: int = 1) -> None:
    """Wait until so many answers are ticked and nothing is on its way."""
    page.wait_for_selector(f"#strip li[data-state=saved] >> nth={count - 1}")
    page.wait_for_selector("#link[data-state=saved]")


def labels(dataset: Any) -> dict[tuple[int, int], str]:
    with Catalog(dataset[0].catalog_path, create=False) as catalog:
        return {place: label.value for place, label in LabelLog(catalog).current().items()}


def texts(dataset: Any) -> dict[int, str]:
    with Catalog(dataset[0].catalog_path, create=False) as catalog:
        return LabelLog(catalog).texts()


def right(dataset: Any, place: Any) -> str:
    return str(dataset[1][place[0] - 1][place[1]])
