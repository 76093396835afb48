"""Contact sheets for people to look at: a row of pictures for each class, or frames with their hands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from openautoglm.data.base import ImageSet
from openautoglm.data.frames import Frame
from openautoglm.data.images import pad_square
from openautoglm.fonts import Font, font_for
from openautoglm.types import Fit

_INK, _PAPER, _MARK = (30, 30, 30), (255, 255, 255), (0, 200, 0)


def contact_sheet(
    image_set: ImageSet, *, num_columns: int = 8, cell_px: int = 96, gap_px: int = 3, seed: int = 0, marks: bool = False
) -> Image.Image:
    """Lay out pictures of each class beside its name.

    Args:
        image_set: any split.
        num_columns: pictures a class; fewer where the class has fewer.
        cell_px: side of a picture on the sheet.
        gap_px: space between pictures.
        seed: decides which pictures.
        marks: draw boxes and landmarks where there are any.
    """
    if num_columns < 1 or cell_px < 16:
        raise ValueError(f"num_columns={num_columns}, cell_px={cell_px}: give at least one column of 16 pixels")
    font = font_for(image_set.classes, max(11, min(15, cell_px // 6)))
    names_px = 12 + max(round(font.getlength(name)) for name in image_set.classes)
    pitch = cell_px + gap_px
    sheet = Image.new("RGB", (names_px + num_columns * pitch, len(image_set.classes) * pitch + gap_px), _PAPER)
    draw = ImageDraw.Draw(sheet)
    rng = np.random.default_rng(seed)
    for label, name in enumerate(image_set.classes):
        y = gap_px + label * pitch
        draw.text((names_px - 6, y + cell_px / 2), name, fill=_INK, font=font, anchor="rm")
        for column, row in enumerate(rng.permutation(np.flatnonzero(image_set.labels == label))[:num_columns]):
            sheet.paste(_cell(image_set, int(row), cell_px, marks), (names_px + column * pitch, y))
    return sheet


def _cell(image_set: ImageSet, row: int, cell_px: int, marks: bool) -> Image.Image:
    picture = np.ascontiguousarray(image_set.images[row])
    scale = cell_px / picture.shape[0]
    image = Image.fromarray(picture).resize((cell_px, cell_px), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    if marks and image_set.boxes_px is not None:
        draw.rectangle([float(v) * scale for v in image_set.boxes_px[row]], outline=_MARK)
    if marks and image_set.landmarks_px is not None:
        for x, y in image_set.landmarks_px[row] * scale:
            draw.ellipse((float(x) - 1, float(y) - 1, float(x) + 1, float(y) + 1), fill=(255, 0, 0))
    return image


def frame_sheet(
    frames: Sequence[Frame], classes: Sequence[str], *, num_columns: int = 6, cell_px: int = 240, gap_px: int = 3
) -> Image.Image:
    """Lay out frames with the boxes and names of their hands.

    Args:
        frames: what to show, in this order.
        classes: names of the labels.
        num_columns: frames beside each other.
        cell_px: side of the square that each is fitted into.
        gap_px: space between frames.
    """
    if num_columns < 1 or cell_px < 16:
        raise ValueError(f"num_columns={num_columns}, cell_px={cell_px}: give at least one column of 16 pixels")
    pitch = cell_px + gap_px
    num_lines = -(-len(frames) // num_columns)
    sheet = Image.new("RGB", (num_columns * pitch + gap_px, num_lines * pitch + gap_px), _PAPER)
    font = font_for(classes, max(9, cell_px // 20))
    for number, frame in enumerate(frames):
        line, column = divmod(number, num_columns)
        sheet.paste(_frame_cell(frame, classes, cell_px, font), (gap_px + column * pitch, gap_px + line * pitch))
    return sheet


def _frame_cell(frame: Frame, classes: Sequence[str], cell_px: int, font: Font) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(frame.image))
    fit = Fit.into(*picture.size, cell_px)
    cell = Image.fromarray(pad_square(picture, cell_px))
    draw = ImageDraw.Draw(cell)
    for box, label in zip(frame.boxes_px, frame.labels, strict=True):
        x0, y0, x1, y1 = (float(v) * fit.width / picture.width for v in box)
        draw.rectangle((x0 + fit.left, y0 + fit.top, x1 + fit.left, y1 + fit.top), outline=_MARK)
        name = classes[label] if label >= 0 else "?"
        draw.text(
            (x0 + fit.left, max(y0 + fit.top - 1, cell_px // 16)),
            name,
            fill=_MARK,
            font=font,
            anchor="lb",
            stroke_width=1,
            stroke_fill=_INK,
        )
    return cell
