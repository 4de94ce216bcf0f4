"""Writing samples as they are drawn, to pictures in a folder or to a packed file; processes share the work."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from captcha_lab.datasets.base import Progress
from captcha_lab.generate.sampling import sheets
from captcha_lab.generate.sampling.options import SampleOptions, SampleReport
from captcha_lab.generate.sampling.plan import (
    SamplePlan,
    attributed_samples,
    captcha_samples,
    single_samples,
)
from captcha_lab.generate.sampling.sample import BLOCK, Generator
from captcha_lab.generate.watching.pictures import save_picture
from captcha_lab.parallel import Group
from captcha_lab.store.packed.bare import row_digest
from captcha_lab.store.packed.sharded import ShardedWriter


def write_samples(
    options: SampleOptions,
    generator: Generator,
    run: str,
    group: Group,
    progress: Progress = lambda done, total: None,
) -> SampleReport | None:
    """Draw the samples and write them; returns None in the processes that only helped.

    Raises:
        UsageError: the generator can't make it (no labels, an unknown class or attribute).
        CaptchaLabError: the disk refuses.
    """
    out, seed = Path(options.out), options.seed
    if options.grid or options.interpolate:
        if not group.leads:
            return None
        what = "walks" if options.interpolate else "grid"
        pixels = (
            sheets.walks(generator, seed, options.steps, options.text, options.attributes)
            if options.interpolate
            else sheets.sheet(generator, seed)
        )
        path = out if out.suffix and not out.is_dir() else out / f"{what}.png"
        save_picture(path, pixels, options.scale)
        return SampleReport(f"picture ({what})", 1, path, run)
    if options.text:
        plan = captcha_samples(generator, options.text, options.count, seed)
    elif options.attributes:
        plan = attributed_samples(generator, options.attributes, options.count, seed)
    else:
        number = options.per_class or options.count
        plan = single_samples(generator, number, seed, per_class=options.per_class > 0)
    _write(plan, out, group, progress)
    what = "captchas" if options.text else "samples"
    return SampleReport(what, plan.count, out, run) if group.leads else None


def _write(plan: SamplePlan, out: Path, group: Group, progress: Progress) -> None:
    """Write all pictures: to a path that ends in .h5, on which a recogniser can train, or as PNGs into a folder.

    The processes draw the blocks in turn. The PNGs `TEXT_number.png` are written by each, the file by the first.

    Raises:
        CaptchaLabError: the disk refuses, or another process has ended.
    """
    if out.suffix == ".h5":
        _pack(plan, out, group, progress)
    else:
        _write_pictures(plan, out, group, progress)
        group.wait()
        progress(plan.count, plan.count)


def _write_pictures(plan: SamplePlan, folder: Path, group: Group, progress: Progress) -> None:
    digits = len(str(plan.count - 1))
    for block, images in plan.drawn(range(group.rank, plan.blocks, group.world)):
        for number, image in enumerate(images, block * BLOCK):
            text = plan.text(number)
            stem = f"{text}_{number:0{digits}d}" if text else f"{number:0{digits}d}"
            save_picture(folder / f"{stem}.png", image)
        progress(_done(plan, block), plan.count)


def _pack(plan: SamplePlan, path: Path, group: Group, progress: Progress) -> None:
    """One file, a shard for each block; what an interrupted command has finished is not drawn again."""
    with ExitStack() as stack:
        writer = None
        if group.leads:
            writer = stack.enter_context(ShardedWriter(path, plan.columns(), plan.fingerprint(), BLOCK))
        pending = group.first([] if writer is None else writer.pending())
        mine = plan.drawn(set(pending[group.rank :: group.world]))
        for _ in range(0, len(pending), group.world):
            for made in group.gather(next(mine, None)):
                if made is not None and writer is not None:
                    block, images = made
                    writer.write(block, images, {}, {}, [row_digest(image.tobytes()) for image in images])
                    progress(_done(plan, block), plan.count)
        if writer is not None:
            writer.finish()


def _done(plan: SamplePlan, block: int) -> int:
    return min((block + 1) * BLOCK, plan.count)
