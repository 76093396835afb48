"""``scripts/train.py``, in the process."""

import json
import os
import shlex
from pathlib import Path

import pytest

from openautoglm.cli.launch import PROGRAM, public_command
from openautoglm.cli.resume import RunFile
from openautoglm.cli.train import main
from openautoglm.data.folder import FolderGestures
from openautoglm.losses import DKD, AttentionTransfer


def only_run() -> Path:
    folders = [path.parent for path in Path("runs").rglob("run.json")]
    assert len(folders) == 1
    return folders[0]


def test_settings_arrive_at_the_stages(runs):
    assert main(["seed=3", "stages.distill.epochs=7", "trainer.fast_dev_run=true", "logger=wandb"]) == 0
    run, stages = runs.started[0], runs.stages[0]
    assert (run.seed, run.recipe, run.model, run.init) == (3, "distill_int8", "openautoglm-small", None)
    assert run.settings.trainer["fast_dev_run"] is True
    assert run.settings.logger == "wandb"
    assert list(stages) == ["teach", "alone", "distill", "quantize", "export", "verify", "report"]
    assert stages["distill"].epochs == 7
    assert stages["alone"].epochs == 7  # the baseline takes as many steps
    assert isinstance(stages["distill"].losses["attention"], AttentionTransfer)


def test_run_folder_and_run_file(runs):
    assert main(["seed=3"]) == 0
    folder = only_run()
    assert folder.parent == Path("runs/distill_int8")
    content = json.loads((folder / "run.json").read_text())
    assert content["command"] == "python scripts/train.py seed=3"
    assert content["overrides"] == ["seed=3"]
    assert content["config"]["seed"] == 3
    assert {"created", "recipe"} <= content.keys()
    assert runs.started[0].folder == folder
    assert os.listdir(".") == ["runs"]


def test_losses_are_chosen_and_changed_where_they_are_or_where_they_are_used(runs):
    assert main(["distill=dkd", "distill.dkd.beta=2"]) == 0
    assert main(["stages.distill.losses.attention.weight=2"]) == 0
    assert main(["distill=[kd,dkd]"]) == 0
    first, second, third = (stages["distill"].losses for stages in runs.stages)
    assert isinstance(first["dkd"], DKD)
    assert first["dkd"].beta == 2
    assert second["attention"].weight == 2
    assert list(third) == ["kd", "dkd"]


def test_stages_are_chosen_or_left_out(runs):
    assert main(["stage=[teach,distill]"]) == 0
    assert main(["stages.alone=null"]) == 0
    assert list(runs.stages[0]) == ["teach", "distill"]
    assert runs.stages[1]["alone"] is None


def test_a_setting_that_no_config_names_is_found_in_the_class(runs):
    assert main(["stages.distill.label_smoothing=0.2", "trainer.gradient_clip_val=1.0"]) == 0
    assert runs.stages[0]["distill"].label_smoothing == 0.2
    assert runs.started[0].settings.trainer["gradient_clip_val"] == 1.0


def test_awkward_root_arrives_and_is_not_shown(runs, tmp_path):
    root = tmp_path / "手势 (1)" / "it's, a=b#c ${x}"
    root.mkdir(parents=True)
    assert main(["data=folder", f"data.root={root.relative_to(tmp_path)}"]) == 0
    source = runs.started[0].source
    assert isinstance(source, FolderGestures)
    assert Path(source.root) == root
    assert runs.started[0].command == "python scripts/train.py data=folder data.root=$DATA"
    assert "it's" in json.loads((only_run() / "run.json").read_text())["command"].replace("'\"'\"'", "'")


def test_folders_of_this_machine_are_not_shown():
    words = ["init=/home/me/runs/spot", "teacher.artifact=[/home/me/a,openautoglm-small,hf://owner/name]", "a=runs/b/c"]
    shown = public_command(RunFile(shlex.join([*PROGRAM.split(), *words]), (), "", {}, ""))
    for part in ("init=RUN/spot", "[RUN/a,openautoglm-small,hf://owner/name]", "a=runs/b/c"):
        assert part in shown


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (
            ["recipe=distil_int8"],
            "did you mean distill_int8? choose one of: attention_transfer, box_frames, crd, distill_int8",
        ),
        (["data=foldr"], "did you mean folder?"),
        (["distill=[kd,dk]"], "there is no distill=dk"),
        (["stages.distil.epochs=3"], "did you mean stages.distill.epochs?"),
        (["epochs=3"], "stages.distill.epochs"),
        (["sed=1"], "did you mean seed"),
        (["recip=hagrid_int8"], "did you mean recipe"),
        (["data.imagesize=64"], "did you mean data.image_size"),
        (["trainer.max_epochs=3"], "stages.distill.epochs"),
        (["stages.distill.epochs=abc"], "stages.distill.epochs=abc: expected a whole number"),
        (["seed=one"], "seed=one: expected a whole number"),
        (["recipe=hagrid_int8"], "data.root is not set"),
        (["data=folder"], "data.root is not set"),
        (["seed=0,1"], "put -m before it"),
        (["stage=[]"], "no stage is left"),
        (["data._target_=os.system"], "data._target_: 'os.system' is no class of openautoglm"),
        (["+x._target_=os.system"], "x._target_: 'os.system' is no class of openautoglm"),
        (["resume=nowhere"], "there is no such folder"),
        (["seed"], "type key=value"),
        (["--verbose"], "--verbose is no option"),
    ],
)
def test_mistakes_are_one_sentence_code_2_and_no_folder(runs, capsys, argv, sentence):
    assert main(argv) == 2
    text = capsys.readouterr().err
    assert sentence in text
    assert text.count("\n") == 1
    assert not runs.started
    assert not os.listdir(".")


def test_data_that_cannot_be_read_leaves_no_folder(runs, capsys):
    runs.errors = [ValueError("there are no pictures in x")]
    assert main(["seed=1"]) == 2
    assert "resume" not in capsys.readouterr().err
    assert not os.listdir(".")


def test_help_lists_recipes_with_one_line_each(capsys):
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:1] == ["distill_int8"] and "INT8" in line for line in lines)
    assert any(line.split()[:1] == ["hagrid_int8"] for line in lines)


def test_help_of_a_recipe_is_its_header(capsys):
    assert main(["recipe=hagrid_int8", "--help"]) == 0
    assert "python scripts/train.py recipe=hagrid_int8 data.root=PATH" in capsys.readouterr().out


def test_cfg_prints_and_runs_nothing(runs, capsys):
    assert main(["--cfg", "job", "seed=5"]) == 0
    assert "seed: 5" in capsys.readouterr().out
    assert not runs.started
    assert not os.listdir(".")


def interrupt(runs, argv, capsys) -> str:
    runs.errors = [KeyboardInterrupt()]
    assert main(argv) == 130
    word = capsys.readouterr().err.splitlines()[-1].split()[-1]
    assert word == f"resume={only_run()}"
    return word


def test_ctrl_c_names_the_command_that_goes_on_in_the_same_folder(runs, capsys):
    word = interrupt(runs, ["seed=3", "stages.distill.epochs=7"], capsys)
    assert main([word]) == 0
    first, second = runs.started
    assert (second.folder, second.seed, second.command) == (first.folder, first.seed, first.command)
    assert runs.stages[0] == runs.stages[1] or runs.stages[1]["distill"].epochs == 7


def test_resume_may_repeat_the_command(runs, capsys):
    word = interrupt(runs, ["recipe=distill_int8", "seed=3"], capsys)
    assert main(["recipe=distill_int8", "seed=3", word]) == 0
    assert main([word, "seed=3"]) == 0
    assert len({run.folder for run in runs.started}) == 1


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("seed=4", "seed is 4 here and was 3"),
        ("stages.distill.epochs=9", "stages.distill.epochs is 9 here"),
        ("stages.distill.label_smoothing=0.3", "stages.distill.label_smoothing is 0.3 here and was not set"),
        ("distill=dkd", "distill.dkd._target_"),
        ("model=openautoglm-test", "model.architecture"),
    ],
)
def test_resume_refuses_another_command_and_names_the_key(runs, capsys, change, key):
    word = interrupt(runs, ["seed=3"], capsys)
    assert main([word, change]) == 2
    assert key in capsys.readouterr().err
    assert len(runs.started) == 1


def test_resume_works_from_elsewhere(runs, capsys, tmp_path, monkeypatch):
    (tmp_path / "pictures").mkdir()
    word = interrupt(runs, ["data=folder", "data.root=pictures"], capsys)
    run = tmp_path / word.removeprefix("resume=")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert main([f"resume={run}"]) == 0
    assert Path(runs.started[1].source.root) == tmp_path / "pictures"


def test_resume_sees_a_recipe_that_changed(runs, capsys):
    word = interrupt(runs, ["seed=3"], capsys)
    path = only_run() / "run.json"
    content = json.loads(path.read_text())
    content["config"]["stages"]["teach"]["epochs"] += 1
    path.write_text(json.dumps(content))
    assert main([word]) == 2
    assert "stages.teach.epochs" in capsys.readouterr().err
