"""What the stages that train a student share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from openautoglm.artifacts import build_model, load_model, model_config
from openautoglm.bench.result import ModelResult
from openautoglm.losses import KD, Loss
from openautoglm.stages.evaluate import predict, top1
from openautoglm.stages.run import Run
from openautoglm.types import Artifact

_ADDED = ("glance_head.", "exits.")
"""Parts that a net may have or not, beside those that every net of its size has."""


def net_config(
    architecture: str, arguments: Mapping[str, Any], classes: tuple[str, ...], image_size: int
) -> dict[str, Any]:
    """config.json of a registered net: its whole architecture as plain data, defaults included."""
    given = {**arguments, "num_classes": len(classes), "image_size": image_size}
    config = model_config(architecture, given, classes=classes, image_size=image_size)
    whole: Any = build_model(config).arguments
    return {**config, "arguments": whole, "task": "spot" if whole.get("glance_size") else "classify"}


def student_config(run: Run) -> dict[str, Any]:
    """config.json of the student: what pruning has left of it, or what was asked for."""
    pruned = _find_pruned(run)
    return initial_config(run) if pruned is None else pruned.config


def fresh_student(run: Run) -> nn.Module:
    """The student that a training starts with: what pruning has left of it, or as it came into the run."""
    pruned = _find_pruned(run)
    if pruned is None:
        return initial_student(run)
    torch.manual_seed(run.seed)
    return load_model(pruned).train()


def _find_pruned(run: Run) -> Artifact | None:
    """What the stage prune has left, unless it is another net's: fine-tuning also trains a teacher."""
    if not (run.stage_folder("prune") / "config.json").exists():
        return None
    found = run.find_stage("prune")
    return found if found.config["architecture"] == run.model else None


def initial_config(run: Run) -> dict[str, Any]:
    """config.json of the student before anything is pruned."""
    return net_config(run.model, run.model_arguments, run.source.class_names(), run.image_size)


def initial_student(run: Run) -> nn.Module:
    """The student with the weights of ``run.init``, or with random ones that follow from the seed."""
    torch.manual_seed(run.seed)
    model = build_model(initial_config(run))
    if run.init is None:
        return model
    artifact = run.find_init()
    if artifact.config["architecture"] != run.model:
        raise ValueError(
            f"init={run.init} holds a {artifact.config['architecture']}, but model={run.model} is to be trained: "
            "choose the same architecture, or init=null"
        )
    found, wanted = load_model(artifact).state_dict(), model.state_dict()
    if tuple(artifact.config["classes"]) != run.source.class_names():
        # other gestures: everything but the classifier
        found = {name: value for name, value in found.items() if "classifier." not in name}
    # a net for whole frames names crops as well: its glance stays behind
    found = {name: value for name, value in found.items() if name in wanted or not name.startswith(_ADDED)}
    strange = [name for name, value in found.items() if name not in wanted or wanted[name].shape != value.shape]
    strange += [name for name in wanted if name not in found and not name.startswith(("classifier.", *_ADDED))]
    if strange:
        raise ValueError(
            f"init={run.init} is another {run.model} than is asked for, first in {strange[0]}: give the model the same "
            "arguments"
        )
    model.load_state_dict(found, strict=False)
    return model


def unlabelled_classes(run: Run) -> tuple[int, ...] | None:
    """Indices of the classes that a run's unlabelled pictures may show, None where all of them may.

    Raises:
        ValueError: the data set names a class that it does not have.
    """
    names, classes = getattr(run.source, "unlabelled_classes", None), run.source.class_names()
    if names is None:
        return None
    if strange := sorted(set(names) - set(classes)):
        raise ValueError(f"unlabelled_classes holds {', '.join(strange)}; the classes are {', '.join(classes)}")
    return tuple(classes.index(name) for name in names)


def round_to_half(model: nn.Module) -> None:
    """Round matrices and kernels to what float16 can hold, so that a release may store them so and lose nothing."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.copy_(parameter.half())


def find_teacher(run: Run) -> nn.Module | None:
    """The run's teacher, if a stage has left one."""
    if not run.stage_folder("teach").exists():
        return None
    return load_model(run.find_stage("teach")).to(memory_format=torch.channels_last)


def on_logits(run: Run, losses: Mapping[str, Loss]) -> Mapping[str, Loss]:
    """The losses that are left where the student is a graph that shows nothing but logits; KD if none is."""
    skipped = ", ".join(name for name, loss in losses.items() if loss.reads_hints)
    if not skipped:
        return losses
    left = {name: loss for name, loss in losses.items() if not loss.reads_hints} or {"kd": KD()}
    run.console.print(
        f"[dim]quantize learns from the teacher's logits, by {', '.join(left)}: a quantised graph shows no maps "
        f"for {skipped}[/]"
    )
    return left


def judge(run: Run, model: nn.Module, *, name: str, architecture: str) -> ModelResult:
    """Row of the table for a float model: dev and test accuracy in eager PyTorch."""
    model = model.eval().cpu()
    dev, test = (run.load(split) if run.holds_out(split) else None for split in ("dev", "test"))
    return ModelResult(
        name=name,
        kind="float",
        runtime="eager",
        architecture=architecture,
        top1=None if test is None else top1(predict(model, test), test),
        top1_dev=None if dev is None else top1(predict(model, dev), dev),
        num_params=sum(parameter.numel() for parameter in model.parameters()),
    )


def accuracy_note(row: ModelResult) -> str:
    """The figures of a row in a few words."""
    shares = {"dev": row.top1_dev, "test": row.top1}
    said = [f"{split} {100 * share:.2f} %" for split, share in shares.items() if share is not None]
    return f"{row.architecture}: {', '.join(said) or 'no picture is held out'}"
