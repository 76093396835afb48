"""What the three stages that train a student share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from openautoglm.api import build_model, load_model, model_config
from openautoglm.bench.result import ModelResult
from openautoglm.stages.evaluate import predict, top1
from openautoglm.stages.run import Run
from openautoglm.zoo import store


def net_config(
    architecture: str, arguments: Mapping[str, Any], classes: tuple[str, ...], image_size: int
) -> dict[str, Any]:
    """config.json of a registered net: its whole architecture as plain data, defaults included."""
    given = {**arguments, "num_classes": len(classes), "image_size": image_size}
    config = model_config(architecture, given, classes=classes, image_size=image_size)
    return {**config, "arguments": build_model(config).arguments}


def student_config(run: Run) -> dict[str, Any]:
    """config.json of the student."""
    return net_config(run.model, run.model_arguments, run.source.class_names(), run.source.image_size)


def fresh_student(run: Run) -> nn.Module:
    """The student with the weights of ``run.init``, or with random ones that follow from the seed."""
    import torch

    torch.manual_seed(run.seed)
    model = build_model(student_config(run))
    if run.init is None:
        return model
    artifact = store.find(run.init)
    if artifact.config["architecture"] != run.model:
        raise ValueError(
            f"init={run.init} holds a {artifact.config['architecture']}, but model={run.model} is to be trained: "
            "choose the same architecture, or init=null"
        )
    if artifact.is_quantized:
        raise ValueError(
            f"init={run.init} is quantised; a training starts from float weights, such as a run's distill/"
        )
    found = load_model(artifact).state_dict()
    if tuple(artifact.config["classes"]) != run.source.class_names():
        # other gestures: everything but the classifier
        found = {name: value for name, value in found.items() if not name.startswith("classifier.")}
        model.load_state_dict(found, strict=False)
    else:
        model.load_state_dict(found)
    return model


def judge(run: Run, model: nn.Module, *, name: str, architecture: str) -> ModelResult:
    """Row of the table for a float model: dev and test accuracy in eager PyTorch."""
    model = model.eval().cpu()
    dev, test = run.load("dev"), run.load("test")
    return ModelResult(
        name=name,
        kind="float",
        runtime="eager",
        architecture=architecture,
        top1=top1(predict(model, test), test),
        top1_dev=top1(predict(model, dev), dev),
        num_params=sum(parameter.numel() for parameter in model.parameters()),
    )


def accuracy_note(row: ModelResult) -> str:
    """The figures of a row in a few words."""
    return f"{row.architecture}: dev {100 * (row.top1_dev or 0):.2f} %, test {100 * (row.top1 or 0):.2f} %"
