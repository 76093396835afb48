"""A run folder as a finished recipe leaves it, with made-up figures and drawn pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from openautoglm.bench.result import (
    ComparisonResult,
    ConfusionResult,
    DataResult,
    DeviceResult,
    EpochResult,
    Int8Cost,
    LatencyResult,
    MistakeResult,
    ModelResult,
    PerClassResult,
    Results,
    StageResult,
    write_results,
)

CLASSES = (
    "call", "dislike", "fist", "four", "like", "mute", "no_gesture", "ok", "one", "palm", "peace", "peace_inverted",
    "rock", "stop", "停止_手掌向前", "three", "three2", "two_up", "two_up_inverted",
)  # fmt: skip


def fake_results(*, num_test: int = 3000, seed: int = 0) -> Results:
    """Nineteen classes, one of them in Chinese, three runtimes."""
    rng = np.random.default_rng(seed)
    matrix = _matrix(rng, num_test)
    support = matrix.sum(1)
    top1 = float(np.trace(matrix) / matrix.sum())
    per_class = PerClassResult(
        model="model.pte",
        classes=CLASSES,
        recall=tuple(float(share) for share in np.diag(matrix) / support),
        support=tuple(map(int, support)),
    )
    return Results(
        recipe="distill_int8",
        command="python scripts/train.py recipe=distill_int8 data=hf 'data.root=~/手势 (1)' stages.distill.epochs=12",
        seed=seed,
        status="complete",
        started="2025-05-04T10:21:33+02:00",
        seconds=452.7,
        data=DataResult(
            name="synthetic",
            fingerprint="sha256:9f2c4e0b7a1d5c33",
            classes=CLASSES,
            num_train=24000,
            num_dev=2000,
            num_test=num_test,
            image_size=96,
            problems=("call/IMG 0031.jpg: not a picture", "ok/<b>x</b>.png: 3 by 2 pixels, too small"),
        ),
        versions={"python": "3.11.9", "torch": "2.14.1", "executorch": "1.5.1", "onnxruntime": "1.31.1"},
        device=DeviceResult(cpu="Example Processor 9000 @ 2.60GHz", num_cores=2, num_threads=2, accelerator="cpu"),
        commit="0123456789abcdef0123456789abcdef01234567",
        stages=(
            StageResult(name="teach", seconds=96.2, reused=True, note="mobilenetv4_conv_small: 0.981 on dev"),
            StageResult(name="alone", seconds=80.4, note="openautoglm-small: 0.958 on dev"),
            StageResult(name="distill", seconds=118.8, note="openautoglm-small: 0.971 on dev"),
            StageResult(name="quantize", seconds=77.5, note="frozen from step 350 of 500 on"),
            StageResult(name="export", seconds=61.0),
            StageResult(name="verify", seconds=18.8),
        ),
        curves={
            "teach": _curve(rng, 10, 0.981),
            "alone": _curve(rng, 12, 0.958),
            "distill": _curve(rng, 12, 0.971),
            "quantize": _curve(rng, 3, 0.972, start=0.94),
        },
        models=_models(top1),
        per_class=per_class,
        confusion=ConfusionResult(model="model.pte", matrix=tuple(tuple(map(int, row)) for row in matrix)),
        mistakes=_mistakes(rng),
        contact_sheet="contact_sheet.png",
        int8_cost=Int8Cost(
            runtime="executorch", num_samples=5012, difference=0.0006, ci95=(-0.0008, 0.0021), test_net_loss=1
        ),
        comparisons=_comparisons(),
    )  # fmt: skip


def write_fake_run(folder: Path, results: Results | None = None) -> Results:
    """Write the results, the mistakes' pictures and the contact sheet."""
    results = results or fake_results()
    (folder / "mistakes").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    for mistake in results.mistakes:
        assert mistake.image is not None
        _hand(rng).save(folder / mistake.image)
    sheet = Image.new("RGB", (10 * 100, 6 * 100), "white")
    for i in range(60):
        sheet.paste(_hand(rng), (i % 10 * 100 + 2, i // 10 * 100 + 2))
    sheet.save(folder / "contact_sheet.png")
    write_results(folder, results)
    return results


def without_part(results: Results, name: str) -> Results:
    """The same run, one part not written yet."""
    return replace(results, **{name: type(getattr(results, name))() if name in _EMPTY else None})


_EMPTY = {"stages", "curves", "models", "mistakes", "versions", "comparisons"}


def _matrix(rng: np.random.Generator, num_test: int) -> np.ndarray:
    num = len(CLASSES)
    matrix = np.zeros((num, num), dtype=int)
    for row in range(num):
        share = np.full(num, 0.0006)
        share[row] = 0.995 - 0.09 * (CLASSES[row] in ("three2", "two_up")) - 0.02 * rng.random()
        if CLASSES[row] == "three2":
            share[CLASSES.index("three")] = 0.07
        if CLASSES[row] == "two_up":
            share[CLASSES.index("peace")] = 0.06
        matrix[row] = rng.multinomial(num_test // num + (row < num_test % num), share / share.sum())
    return matrix


def _curve(rng: np.random.Generator, num_epochs: int, final: float, start: float = 0.4) -> tuple[EpochResult, ...]:
    rows = []
    for epoch in range(num_epochs):
        left = np.exp(-4.5 * (epoch + 1) / num_epochs)
        accuracy = final - (final - start) * left + rng.normal(0, 0.004)
        loss = 0.35 + 2.0 * left
        rows.append(EpochResult(epoch, float(loss + 0.1), float(loss + rng.normal(0, 0.02)), float(accuracy), 1e-3))
    return tuple(rows)


def _models(top1: float) -> tuple[ModelResult, ...]:
    small = "openautoglm-small"
    rows = [
        ModelResult("teacher", architecture="mobilenetv4_conv_small", top1=0.9793, top1_dev=0.981, num_params=2_493_024,
                    macs=37_200_000),
        ModelResult("student alone", architecture=small, top1=0.9547, top1_dev=0.958, num_params=1_071_411,
                    macs=14_900_000),
        ModelResult("student distilled", architecture=small, top1=0.9687, top1_dev=0.971, num_params=1_071_411,
                    macs=14_900_000),
        ModelResult("student QAT", kind="int8", architecture=small, top1=top1 + 0.0003, top1_dev=0.972,
                    num_params=1_071_411),
    ]  # fmt: skip
    files = (("executorch", "pte", 4312.0, 1.71, 0.298, 0.47), ("litert", "tflite", 4290.0, 1.40, 0.312, 0.63),
             ("onnx", "onnx", 4305.0, 1.22, 0.284, 0.71))  # fmt: skip
    for runtime, suffix, size_kb, median_ms, size_ratio, latency_ratio in files:
        file = ModelResult(
            f"float.{suffix}",
            runtime=runtime,
            architecture=small,
            top1=top1 + 0.001,
            top1_minus_eager=0.0,
            agreement=1.0,
            size_kb=size_kb,
            latency_ms=_latency(median_ms),
        )
        stayed = ["linear_head"] if runtime == "litert" else []
        census = {
            "int8_heavy": {"convolution": 41, "linear": 5},
            "matmul": {"float": 4},
            "other": {"add int8": 9, "softmax float": 2, "mean int8": 1},
            "num_fused_activations": 28,
            "num_partitions": 1,
            "outside": ["quantize input", "dequantize output"],
        }
        quantized = replace(
            file,
            name=f"model.{suffix}",
            kind="int8",
            top1=top1,
            top1_minus_eager=-0.0003,
            agreement=0.9963,
            max_abs_diff=0.13,
            size_kb=size_kb * size_ratio,
            size_ratio=size_ratio,
            latency_ms=_latency(median_ms * latency_ratio),
            latency_ratio=latency_ratio,
            census={**census, "float_heavy": stayed},
        )
        rows += [quantized, file]
    return tuple(rows)


def _comparisons() -> tuple[ComparisonResult, ...]:
    beside = ComparisonResult(
        program="model.pte",
        method="look",
        reference="openautoglm-dense",
        size_kb=1285.0,
        size_ratio=1.0,
        latency_ms=_latency(0.8),
        reference_latency_ms=_latency(0.8),
        latency_ratio=1.0,
        num_samples=5012,
        top1=0.9741,
        reference_top1=0.9789,
        difference=0.0048,
        ci95=(0.0021, 0.0076),
    )
    return beside, replace(beside, program="model.onnx", size_ratio=0.5, latency_ratio=0.75)


def _latency(median_ms: float) -> LatencyResult:
    return LatencyResult(median_ms, median_ms * 0.97, median_ms * 1.06, 50, 1)


def _mistakes(rng: np.random.Generator) -> tuple[MistakeResult, ...]:
    pairs = [("three2", "three"), ("two_up", "peace"), ("停止_手掌向前", "palm"), ("call", "rock")]
    rows = []
    for i in range(18):
        truth, predicted = pairs[i % len(pairs)]
        rows.append(
            MistakeResult(f"test/{i:05d}", truth, predicted, float(rng.uniform(0.4, 0.99)), f"mistakes/{i:05d}.png")
        )
    return tuple(rows)


def _hand(rng: np.random.Generator) -> Image.Image:
    image = Image.fromarray(rng.integers(90, 130, (96, 96, 3), dtype=np.uint8))
    draw, skin = ImageDraw.Draw(image), tuple(int(v) for v in rng.integers(120, 230, 3))
    draw.ellipse((28, 44, 72, 90), fill=skin)
    for finger in range(int(rng.integers(1, 6))):
        x = 30 + 9 * finger
        draw.line((x + 2, 60, x + int(rng.integers(-6, 7)), 14), fill=skin, width=8)
    return image
