"""Shape letters and the structures that travel between data, tasks and training.

Letters, everywhere in nn, models and losses:

    b  batch            c  channels          k  classes
    h  height           w  width             n  tokens (h * w)
    d  token width      r  rank              e  hidden width of a feed-forward
    s  scales           i  rows of blocks    j  columns of blocks
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

UNLABELLED = -1
"""Label of a picture or hand whose class is not known; it takes part in distillation only."""
EMPTY = -2
"""Label of a row without a hand, which fills a table up to the most hands of a batch."""
NOWHERE = -1
"""Picture of a crop that was cut out of none."""


@dataclass(frozen=True)
class Batch:
    """One step's pictures.

    Attributes:
        image: RGB in [0, 1], ``(b, c, h, w)``.
        label: class index or ``UNLABELLED``, ``(b,)``.
        index: row of each picture in its split, ``(b,)``.
        taught: a teacher's logits, ``(b, k)``, where they were computed beforehand.
    """

    image: Tensor
    label: Tensor
    index: Tensor
    taught: Tensor | None = None


@dataclass(frozen=True)
class NearBatch:
    """Surroundings of hands as the closer glance sees them, and places that may show none.

    Attributes:
        image: RGB in [0, 1], ``(b, c, h, w)``.
        boxes_px: as in ``SpotBatch``, ``(b, m, 4)``.
        labels: class index, ``UNLABELLED`` or ``EMPTY``, ``(b, m)``.
        complete: False where hands may be in the picture that have no box, ``(b,)``.
    """

    image: Tensor
    boxes_px: Tensor
    labels: Tensor
    complete: Tensor


@dataclass(frozen=True)
class SpotBatch:
    """One step's whole frames and the crops of some of their hands.

    Attributes:
        image: RGB in [0, 1], ``(b, c, h, w)``.
        boxes_px: x0, y0, x1, y1 of each hand in pixels of ``image``, ``(b, m, 4)``; zeros where there is none.
        labels: class index, ``UNLABELLED`` or ``EMPTY``, ``(b, m)``.
        complete: False where hands may be in the frame that have no box, ``(b,)``; its background teaches nothing.
        to_frame: affine map from pixels of ``image`` to pixels of the frame that it shows, ``(b, 2, 3)``.
        index: row of each frame in its split, those of further sources after it, ``(b,)``; -1 where it was composed.
        crops: hands cut out for the second look, in the order of their pictures; their ``index`` is the picture's
            place in this batch or ``NOWHERE``, ``(n,)``.
        near: closer views of the same frames, for a net that has a glance for them.
        frame_label: gesture of a picture that is known by one while no hand of it has a box, else ``UNLABELLED``,
            ``(b,)``; None where no picture is.
    """

    image: Tensor
    boxes_px: Tensor
    labels: Tensor
    complete: Tensor
    to_frame: Tensor
    index: Tensor
    crops: Batch
    near: NearBatch | None = None
    frame_label: Tensor | None = None


@dataclass(frozen=True)
class Seen:
    """What a net makes of a batch's pictures; more than logits only where a loss reads more.

    Attributes:
        logits: ``(b, k)``.
        features: maps that ``forward_intermediates`` returns, shallow ones first, ``(b, c, h, w)`` each.
        embedding: what the classifier sees, ``(b, c)``.
        side_px: width of the pictures.
        early: logits of the early exits, shallow ones first, ``(b, k)`` each.
    """

    logits: Tensor
    features: tuple[Tensor, ...] = ()
    embedding: Tensor | None = None
    side_px: int = 0
    early: tuple[Tensor, ...] = ()

    def at(self, stride: int) -> Tensor:
        """The deepest map whose cells are ``stride`` pixels wide.

        Raises:
            ValueError: the net has none.
        """
        maps = {round(self.side_px / feature.shape[-1]): feature for feature in self.features}
        if stride not in maps:
            known = ", ".join(map(str, maps)) or "none"
            raise ValueError(f"stride={stride}: the net has maps at strides {known}; choose one that both nets have")
        return maps[stride]


@dataclass(frozen=True)
class StepOutput:
    """What a task returns for one batch.

    Attributes:
        loss: scalar to be minimised.
        preds: logits, ``(b, k)``.
        target: class indices or ``UNLABELLED``, ``(b,)``.
        image: what ``preds`` name, RGB in [0, 1], ``(b, c, h, w)``: a teacher is shown the same.
        parts: named scalars that make up the loss, for the log.
        taught: a teacher's logits, ``(b, k)``, where they were computed beforehand.
        early: logits of the net's early exits, shallow ones first, ``(b, k)`` each.
    """

    loss: Tensor
    preds: Tensor
    target: Tensor
    image: Tensor
    parts: dict[str, Tensor] = field(default_factory=dict)
    taught: Tensor | None = None
    early: tuple[Tensor, ...] = ()
