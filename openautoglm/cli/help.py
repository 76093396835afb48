"""What ``--help`` prints: usage, recipes with one line each, choices and settings."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence

from openautoglm.cli.recipes import find_groups, find_recipes

_TRAIN = """\
python scripts/train.py recipe=NAME [key=value …]

  model=NAME init=NAME_OR_FOLDER    architecture; whose weights it starts from
  data=NAME data.root=PATH          pictures; seed=0 decides every random choice
  data.dry_run=true                 what the data holds: counts, problems, first pictures; nothing is trained
  stages.distill.epochs=3           any setting; --cfg job prints them all with their values
  trainer.accelerator=auto trainer.devices=2 trainer.precision=bf16-mixed trainer.fast_dev_run=true
  logger=csv|wandb                  where the curves go
  resume=RUN                        go on where a run stopped
  -m recipe=a,b seed=0,1,2          a run for each combination and one table: mean, spread, paired differences

A run writes runs/<recipe>/<time>/: report.html, results.json and artifact/, the result."""
_EVALUATE = """\
python scripts/evaluate.py artifact=NAME_OR_FOLDER [key=value …]

  runtime=executorch|litert|onnx|eager    what runs it
  data=NAME data.root=PATH split=test     pictures it is asked about
  json=FILE                               where the figures go: top1, latency_ms, num_samples
  --cfg job                               prints every setting with its value"""


_STUDY = """\
python scripts/study.py study=NAME [key=value …]

  study.photo_classifier=NAME_OR_FOLDER   any setting of the study; --cfg job prints them all
  data.num_train=2000                     and of its data
  json=FILE                               where the figures go
  out=FOLDER                              where its trainings go; study=distillation goes on with what lies there"""


def train_help(overrides: Sequence[str] = ()) -> str:
    """Help of ``train.py``; a recipe that was typed before ``--help`` shows its whole header."""
    recipes = find_recipes()
    named = [word.removeprefix("recipe=") for word in overrides if word.startswith("recipe=")]
    if named and named[-1] in recipes:
        return "\n".join(recipes[named[-1]].header)
    lines = {name: recipe.summary for name, recipe in recipes.items()}
    return "\n\n".join(
        [_TRAIN, "Recipes (recipe=NAME --help tells more)\n" + _columns(lines), "Choices\n" + _choices(("recipe",))]
    )


def evaluate_help() -> str:
    """Help of ``evaluate.py``."""
    return "\n\n".join([_EVALUATE, "Choices\n" + _columns({"data": " ".join(find_groups("evaluate")["data"])})])


def study_help() -> str:
    """Help of ``study.py``."""
    return "\n\n".join([_STUDY, "Choices\n" + _columns({"study": " ".join(find_groups("study")["study"])})])


def _choices(left_out: Sequence[str]) -> str:
    return _columns({name: " ".join(names) for name, names in find_groups().items() if name not in left_out})


def _columns(lines: dict[str, str]) -> str:
    indent = 4 + max((len(name) for name in lines), default=0)
    width = max(indent + 30, min(shutil.get_terminal_size().columns, 120))
    wrapper = textwrap.TextWrapper(width, subsequent_indent=" " * indent, break_on_hyphens=False)
    return "\n".join(wrapper.fill(f"  {name:<{indent - 2}}{text}") for name, text in lines.items())
