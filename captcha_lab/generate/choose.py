"""From command-line options to one recipe. Torch is imported only where a loss is named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, get_type_hints

from captcha_lab.errors import UsageError
from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.recipes import get_recipe, recipes

LABEL, UPDATE = "-label", "-update"


@dataclass(frozen=True)
class Defaults:
    """What is meant where no recipe is named, for one kind of picture."""

    recipe: str
    faces: bool = False
    """`--loss NAME` means the recipe that the loss names for faces, not the one for glyphs and digits."""
    what: str = "glyphs and digits"
    """The pictures, for people."""
    glyphs: bool = False
    """`--loss NAME` means our recipe with the loss where there is one; --update means the thesis's."""


GLYPHS, DIGITS = Defaults("fast", glyphs=True), Defaults("fast-digits")
FACES = Defaults("face-fast", faces=True, what="faces")
WHOLE, WHOLE_SOFT = (Defaults(name, what="whole captchas") for name in ("whole", "whole-soft"))
FACE_SIDE = 48  # pixels: grey pictures from this size on are no glyphs either
_EXAMPLES = {
    "options": ', for example options={"spectral": true}',
    "opening": ", for example opening=[50,5,1]",
}


@dataclass(frozen=True)
class Choice:
    """The options that were given; None = not given."""

    recipe: str | None = None
    loss: str | None = None
    label: bool | None = None
    update: bool | None = None
    critic_steps: int | None = None
    generator_steps: int | None = None
    clip: float | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    changes: Sequence[str] = ()
    """`field=value` for any other field of the recipe; values are JSON, or plain words. Objects are merged."""


def defaults_for(image_shape: tuple[int, ...], dark: bool = False) -> Defaults:
    """The defaults for images [H, W] or [H, W, 3]; `dark`: light ink on dark paper."""
    if len(image_shape) == 3 or min(image_shape) >= FACE_SIDE:
        return FACES
    return DIGITS if dark else GLYPHS


def choose(choice: Choice, *, labelled: bool = True, defaults: Defaults = GLYPHS) -> Recipe:
    """The recipe that was asked for.

    Where the thesis has a form of its own for `--label` or `--update` (a recipe with that ending), that one is
    meant; otherwise the recipe is changed. With nothing said about labels, the default recipe is conditional where
    the data is labelled.

    Args:
        choice: the options.
        labelled: whether the data has labels.
        defaults: of the data's kind.

    Raises:
        UsageError: no such recipe or field, values that don't fit, a conditional recipe for unlabelled data.
    """
    base = _base(choice, defaults)
    recipe = _labelled(base, choice, labelled)
    if choice.update is not None:
        recipe = _updated(recipe, choice.update)
    recipe = _with_loss(recipe, choice, choice.loss) if choice.loss else recipe
    plain = {
        "critic_steps": choice.critic_steps,
        "generator_steps": choice.generator_steps,
        "clip": choice.clip,
        "learning_rate": choice.learning_rate,
        "batch_size": choice.batch_size,
    }
    given = {key: value for key, value in plain.items() if value is not None} | _parsed(choice.changes)
    if "critic_steps" in given or "generator_steps" in given:
        given |= {"opening": None, "switch": False}
    for name in ("options", "loss_options"):
        if name in given:
            given[name] = {**getattr(recipe, name), **given[name]}
    recipe = _renamed(replace(recipe, **given))
    if recipe.uses_labels and not labelled:
        raise UsageError(
            f"The recipe {recipe.name} needs labels and the data has none: run `captcha-lab label`, "
            "or train without a condition (--no-label)."
        )
    return recipe


def reason(choice: Choice, recipe: Recipe, defaults: Defaults) -> str:
    """One line that says which recipe was chosen, why, and which one is the source's where ours stands in for it."""
    more = ""
    if choice.recipe is not None:
        why = "as asked"
    elif choice.loss is not None:
        why = f"the recipe that --loss {choice.loss} stands for"
        sources = choose(replace(choice, recipe=_source_recipe(choice, defaults)), defaults=defaults)
        if sources.network != recipe.network:
            more = f" It learns faster than the source's own, which is --recipe {sources.name.partition('+')[0]}."
    else:
        why = f"the default for {defaults.what}"
    condition = "conditioned on the labels" if recipe.labelled else "without a condition"
    return f"Recipe {recipe.name}: {why}, {condition}; {recipe.summary}.{more}"


def quicker(recipe: Recipe, defaults: Defaults) -> str:
    """What gives samples of the data's kind in less time than a recipe, as options."""
    if recipe.network == get_recipe(defaults.recipe).network:
        return "--max-seconds or --iterations shortens it"
    return f"--max-seconds shortens it, and --recipe {defaults.recipe} learns faster"


def _base(choice: Choice, defaults: Defaults) -> Recipe:
    if choice.recipe is not None:
        return get_recipe(choice.recipe)
    if choice.loss is None:
        return get_recipe(defaults.recipe)
    from captcha_lab.generate.losses import losses

    source = _source_recipe(choice, defaults)
    ours = losses()[choice.loss].glyph_recipe if defaults.glyphs and choice.update is None else None
    return get_recipe(ours or source)


def _source_recipe(choice: Choice, defaults: Defaults) -> str:
    """The recipe that the chosen loss names for the data's kind."""
    from captcha_lab.generate.losses import get_loss, losses

    named = {name: loss.face_recipe if defaults.faces else loss.recipe for name, loss in losses().items()}
    known = {name: loss for name, loss in losses().items() if named[name]}
    return named[get_loss(choice.loss or "", known).name] or ""


def _labelled(recipe: Recipe, choice: Choice, labelled: bool) -> Recipe:
    wanted = choice.label
    if wanted is None and choice.recipe is None and choice.loss is None:
        wanted = labelled  # the default recipe follows the data
    if wanted is None or wanted == recipe.labelled == recipe.uses_labels:
        return recipe
    known = recipes()
    if wanted:
        return known.get(_ending(recipe.name, choice.update) + LABEL) or recipe.with_label()
    plain = known.get(recipe.name.removesuffix(LABEL))
    return plain if plain is not None and not plain.uses_labels else recipe.without_label()


def _ending(name: str, update: bool | None) -> str:
    """`wdcgan` with --update is `wdcgan-update`, so that --label finds `wdcgan-update-label`."""
    return name + UPDATE if update and name + UPDATE in recipes() else name


def _updated(recipe: Recipe, update: bool) -> Recipe:
    label = LABEL if recipe.name.endswith(LABEL) else ""
    stem = recipe.name.removesuffix(LABEL)
    is_update = bool(recipe.options.get("update")) or stem.endswith(UPDATE)
    if is_update == update:
        return recipe
    twin = (stem + UPDATE if update else stem.removesuffix(UPDATE)) + label
    known = recipes().get(twin)
    if known is not None and known.labelled == recipe.labelled and known is not recipe:
        return known
    if not update and not recipe.options.get("update"):
        raise UsageError(f"The recipe {recipe.name} has no form without the update.")
    scope = "update" if update and recipe.clip else "all"
    return replace(recipe, options={**recipe.options, "update": update}, clip_scope=scope)


def _with_loss(recipe: Recipe, choice: Choice, name: str) -> Recipe:
    from captcha_lab.generate.losses import get_loss, losses

    loss = get_loss(name)
    if loss.labelled and choice.label is False:
        raise UsageError(f"--loss {name} classifies the condition: leave --no-label away.")
    if name == recipe.loss:
        return recipe
    foreign = [item for other in losses().values() for item in other.exclusive_options.items()]
    options = {key: value for key, value in recipe.options.items() if (key, value) not in foreign}
    changed = loss.apply(replace(recipe, options=options), name)
    return changed if choice.clip is None else replace(changed, clip=recipe.clip)


def _parsed(changes: Sequence[str]) -> dict[str, Any]:
    """`field=value` texts as values of the fields' types."""
    from pydantic import ConfigDict, TypeAdapter, ValidationError  # costs as much as all else of `--help`

    kinds = get_type_hints(Recipe)
    known = {f.name for f in fields(Recipe)} - {"name", "summary", "source", "notes"}
    result: dict[str, Any] = {}
    for text in changes:
        name, equals, value = text.partition("=")
        if not equals or name not in known:
            raise UsageError(f"--set {text}: write FIELD=VALUE with one of {', '.join(sorted(known))}.")
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = value
        kind = TypeAdapter(kinds[name], config=ConfigDict(strict=True))
        try:
            result[name] = kind.validate_python(tuple(parsed) if isinstance(parsed, list) else parsed)
        except ValidationError as error:
            raise UsageError(
                f"--set {text}: {error.errors()[0]['msg'].lower()}{_EXAMPLES.get(name, '')}."
            ) from error
    return result


def _renamed(recipe: Recipe) -> Recipe:
    """The name of a changed recipe lists its changes."""
    original = recipes().get(recipe.name)
    if original is None or original == recipe:
        return recipe
    changed = [
        f"{f.name}={_short(getattr(recipe, f.name))}"
        for f in fields(Recipe)
        if getattr(recipe, f.name) != getattr(original, f.name)
    ]
    return replace(recipe, name=f"{recipe.name}+{','.join(changed)}")


def _short(value: Any) -> str:
    return json.dumps(value, separators=(",", ":")).replace('"', "")
