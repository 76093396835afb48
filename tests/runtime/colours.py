"""A net that needs no training: squares of one colour on black are hands, their colour is the gesture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import avg_pool2d

from openautoglm.zoo import store

CLASSES = ("green", "no_gesture", "red")
GLANCE_SIZE, LOOK_SIZE, CELL, SIDE = 160, 32, 8, 40
"""Pixels: inputs, a cell of the maps, a hand as the glance sees it."""
SUFFIXES = {"executorch": "pte", "litert": "tflite", "onnx": "onnx"}


def scores(image):
    """Evidence of each class: green, blue, red."""
    return 10 * image[:, [1, 2, 0]]


class Glance(nn.Module):
    def forward(self, image):
        red, green, blue = image.split(1, dim=1)
        saturation = ((red - green).abs() + (green - blue).abs() + (blue - red).abs()) / 2
        attention = self.pool(saturation)
        box = torch.full((1, 4, CELLS, CELLS), SIDE / CELL / 2)
        return attention, box, self.pool(scores(image))

    @staticmethod
    def pool(values):
        return avg_pool2d(values, SIDE, stride=CELL, padding=(SIDE - CELL) // 2)


class Look(nn.Module):
    def forward(self, image):
        return (scores(image).mean((2, 3)),)


CELLS = GLANCE_SIZE // CELL
OUTPUTS = {
    "glance": {"attention": (1, 1, CELLS, CELLS), "box": (1, 4, CELLS, CELLS), "logits": (1, 3, CELLS, CELLS)},
    "look": {"logits": (1, 3)},
}
METHODS = {"glance": (Glance(), GLANCE_SIZE), "look": (Look(), LOOK_SIZE)}


def paint(width, height, squares):
    """A black frame with a coloured square round each centre given in cells: ``{(column, row): colour}``."""
    frame = np.zeros((height, width, 3), np.uint8)
    truths = {}
    scale = max(width, height) / GLANCE_SIZE
    left, top = (GLANCE_SIZE - width / scale) / 2, (GLANCE_SIZE - height / scale) / 2
    for (column, row), colour in squares.items():
        x, y = ((column + 0.5) * CELL - left) * scale, ((row + 0.5) * CELL - top) * scale
        half = SIDE * scale / 2
        box = (x - half, y - half, x + half, y + half)
        x0, y0, x1, y1 = (round(edge) for edge in box)
        frame[y0:y1, x0:x1, {"red": 0, "green": 1, "no_gesture": 2}[colour]] = 255
        truths[box] = colour
    return frame, truths


def build(folder: Path, runtimes, **config):
    """An artifact with both methods for some runtimes; its net was made, not trained."""
    described = {
        name: {
            "inputs": [{"name": "image", "shape": [1, 3, size, size], "dtype": "float32"}],
            "outputs": [
                {"name": output, "shape": shape, "dtype": "float32"} for output, shape in OUTPUTS[name].items()
            ],
        }
        for name, (_, size) in METHODS.items()
    }

    def write(fresh):
        (fresh / "programs").mkdir()
        store.write_json(
            fresh / "config.json",
            {"architecture": "colours", "classes": CLASSES, "image_size": LOOK_SIZE, "task": "spot", **config},
        )
        for runtime in runtimes:
            WRITERS[runtime](fresh / "programs")

    programs = {}
    for runtime in runtimes:
        if runtime == "onnx":
            files = {f"model.{name}.onnx": {name: described[name]} for name in METHODS}
        else:
            files = {f"model.{SUFFIXES[runtime]}": described}
        for file, methods in files.items():
            programs[f"programs/{file}"] = {"runtime": runtime, "methods": methods}
    return store.build(folder, write, {"name": "colours", "programs": programs}).folder


def example(size):
    return (torch.zeros(1, 3, size, size),)


def write_onnx(folder):
    for name, (module, size) in METHODS.items():
        program = torch.onnx.export(
            module, example(size), dynamo=True, verbose=False, input_names=["image"], output_names=list(OUTPUTS[name])
        )
        model = program.model_proto
        model.graph.name = name
        Path(folder, f"model.{name}.onnx").write_bytes(model.SerializeToString())


def write_executorch(folder):
    from executorch.exir import to_edge_transform_and_lower

    exported = {name: torch.export.export(module, example(size)) for name, (module, size) in METHODS.items()}
    Path(folder, "model.pte").write_bytes(to_edge_transform_and_lower(exported).to_executorch().buffer)


def write_litert(folder):
    import litert_torch

    class Named(nn.Module):
        def __init__(self, module, names):
            super().__init__()
            self.module, self.names = module, names

        def forward(self, image):
            return dict(zip(self.names, self.module(image), strict=True))

    converter = litert_torch
    for name, (module, size) in METHODS.items():
        named = Named(module, OUTPUTS[name]).eval()
        converter = converter.signature(name, named, sample_kwargs={"image": example(size)[0]})
    Path(folder, "model.tflite").write_bytes(converter.convert().model_content())


WRITERS = {"onnx": write_onnx, "executorch": write_executorch, "litert": write_litert}
