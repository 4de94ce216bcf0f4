"""Fulfils a request: pictures are written as they are drawn, to a folder or a packed file; processes share them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from captcha_lab.datasets.base import Progress
from captcha_lab.generate.sampling import produce
from captcha_lab.generate.sampling.order import Order
from captcha_lab.generate.sampling.request import Produced, Request
from captcha_lab.generate.sampling.sample import BLOCK, Generator
from captcha_lab.generate.watching.pictures import save_picture
from captcha_lab.parallel import Group
from captcha_lab.store.packed.bare import row_digest
from captcha_lab.store.packed.sharded import ShardedWriter


def fulfil(
    request: Request,
    generator: Generator,
    run: str,
    group: Group,
    progress: Progress = lambda done, total: None,
) -> Produced | None:
    """Make what was asked for and write it; None in the processes that only helped.

    Raises:
        UsageError: the generator can't make it (no labels, an unknown class or attribute).
        CaptchaLabError: the disk refuses.
    """
    out, seed = Path(request.out), request.seed
    if request.grid or request.interpolate:
        if not group.leads:
            return None
        what = "walks" if request.interpolate else "grid"
        pixels = (
            produce.walks(generator, seed, request.steps, request.text, request.attributes)
            if request.interpolate
            else produce.sheet(generator, seed)
        )
        path = out if out.suffix and not out.is_dir() else out / f"{what}.png"
        save_picture(path, pixels, request.scale)
        return Produced(f"picture ({what})", 1, path, run)
    if request.text:
        order = produce.captchas(generator, request.text, request.count, seed)
    elif request.attributes:
        order = produce.attributed(generator, request.attributes, request.count, seed)
    else:
        number = request.per_class or request.count
        order = produce.single(generator, number, seed, per_class=request.per_class > 0)
    _deliver(order, out, group, progress)
    what = "captchas" if request.text else "samples"
    return Produced(what, order.count, out, run) if group.leads else None


def _deliver(order: Order, out: Path, group: Group, progress: Progress) -> None:
    """Write all pictures: to a path that ends in .h5, on which a recogniser can train, or as PNGs into a folder.

    The processes draw the blocks in turn. The PNGs `TEXT_number.png` are written by each, the file by the first.

    Raises:
        CaptchaLabError: the disk refuses, or another process has ended.
    """
    if out.suffix == ".h5":
        _pack(order, out, group, progress)
    else:
        _write_pictures(order, out, group, progress)
        group.wait()
        progress(order.count, order.count)


def _write_pictures(order: Order, folder: Path, group: Group, progress: Progress) -> None:
    digits = len(str(order.count - 1))
    for block, images in order.drawn(range(group.rank, order.blocks, group.world)):
        for number, image in enumerate(images, block * BLOCK):
            text = order.text(number)
            stem = f"{text}_{number:0{digits}d}" if text else f"{number:0{digits}d}"
            save_picture(folder / f"{stem}.png", image)
        progress(_done(order, block), order.count)


def _pack(order: Order, path: Path, group: Group, progress: Progress) -> None:
    """One file, a shard for each block; what an interrupted command has finished is not drawn again."""
    with ExitStack() as stack:
        writer = None
        if group.leads:
            writer = stack.enter_context(ShardedWriter(path, order.columns(), order.fingerprint(), BLOCK))
        pending = group.first([] if writer is None else writer.pending())
        mine = order.drawn(set(pending[group.rank :: group.world]))
        for _ in range(0, len(pending), group.world):
            for made in group.gather(next(mine, None)):
                if made is not None and writer is not None:
                    block, images = made
                    writer.write(block, images, {}, {}, [row_digest(image.tobytes()) for image in images])
                    progress(_done(order, block), order.count)
        if writer is not None:
            writer.finish()


def _done(order: Order, block: int) -> int:
    return min((block + 1) * BLOCK, order.count)
