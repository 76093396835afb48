"""PTQ: the float student in integers without training it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from torch import Tensor, nn

from openautoglm.api import Quantizer
from openautoglm.artifacts import QuantizedModel, load_model, quantized_model, save_tensors
from openautoglm.compress.calibrate import RangeMethod
from openautoglm.compress.pt2e import QATModel
from openautoglm.compress.sensitivity import leave_in_float, rank_layers
from openautoglm.report.sensitivity import draw_sensitivity, sensitivity_table
from openautoglm.stages.evaluate import calibration_pictures
from openautoglm.stages.exported import kind_of
from openautoglm.stages.run import Outcome, Run
from openautoglm.stages.training import accuracy_note, judge
from openautoglm.zoo import store

Method = Literal["static", "dynamic", "int4", "int8"]


@dataclass(frozen=True, kw_only=True)
class PostTraining:
    """Leaves ``quantize/`` as quantization-aware training does; the stages after it are the same.

    Attributes:
        method: ``"static"`` and ``"dynamic"`` compute in INT8; ``"int4"`` and ``"int8"`` round weights only.
        num_pictures: of the training split that static ranges are taken from.
        ranges: how: ``"moving_average"``, ``"minmax"`` or ``"percentile"``.
        float_layers: layers of a static net whose weights stay float: their names, or how many of the most sensitive.
        group_size: inputs that share a scale, of weights alone.
        batch_size: pictures at once.
    """

    method: Method = "static"
    num_pictures: int = 512
    ranges: RangeMethod = "moving_average"
    float_layers: int | Sequence[str] = 0
    group_size: int = 32
    batch_size: int = 64

    def __call__(self, run: Run) -> Outcome:
        """Leave the integers in ``quantize/``."""
        if run.frames is not None:
            raise ValueError("nets for whole frames are quantised by training: use the stage quantize, or Quantizer()")
        source = run.find_student()
        model = load_model(source)
        quantized = self._quantize(run, model)
        save_tensors(
            quantized.tensors,
            run.stage_folder("quantize"),
            config=source.config,
            quantization=quantized.spec,
            facts={"stage": "ptq", "method": self.method},
        )
        row = judge(run, quantized, name=f"student {self.method}", architecture=run.model)
        num_params = sum(parameter.numel() for parameter in model.parameters())
        row = replace(row, kind=kind_of(quantized.spec), num_params=num_params)
        return Outcome(note=accuracy_note(row), models=(row,))

    def _quantize(self, run: Run, model: nn.Module) -> QuantizedModel:
        quantizer = Quantizer()
        if self.method == "dynamic":
            return quantizer.dynamic_quantize(model)
        if self.method != "static":
            return quantizer.quantize_weights(model, dtype=self.method, group_size=self.group_size)
        images = calibration_pictures(run.load("train"), self.num_pictures, batch_size=self.batch_size)
        qat = quantizer.calibrate(model, calibration=images, ranges=self.ranges)
        layers = self.float_layers
        if isinstance(layers, int):
            layers = self._most_sensitive(run, qat, images, layers)
        return quantized_model(leave_in_float(qat, layers) if layers else qat, model)

    def _most_sensitive(self, run: Run, qat: QATModel, images: list[Tensor], num_layers: int) -> list[str]:
        """Names of the layers that stay float; the ranking goes to ``ptq/``."""
        if num_layers == 0:
            return []
        ranked = rank_layers(qat, images)
        layers = [row.layer for row in ranked[:num_layers]]
        folder = run.stage_folder("ptq")
        folder.mkdir(parents=True, exist_ok=True)
        store.write_json(folder / "sensitivity.json", [asdict(row) for row in ranked])
        draw_sensitivity(ranked, folder / "sensitivity.png", left_in_float=layers)
        run.console.print(sensitivity_table(ranked, left_in_float=layers))
        return layers
