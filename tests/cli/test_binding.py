"""A config is bound before anything is built, and builds nothing but classes of openautoglm."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

import pytest

from openautoglm.cli.binding import build, check_config, check_trainer, find_class


@dataclass(frozen=True, kw_only=True)
class Part:
    epochs: int
    rate: float = 0.1
    name: str | None = None
    kind: Literal["a", "b"] = "a"
    flag: bool = False
    dims: Sequence[int] = ()
    inner: Mapping[str, object] | None = None


TARGET = "openautoglm.fake.Part"


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    module = ModuleType("openautoglm.fake")
    module.Part = Part
    module.function = lambda: None
    module.sys = sys
    module.OrderedDict = __import__("collections").OrderedDict
    monkeypatch.setattr(Part, "__module__", "openautoglm.fake")
    monkeypatch.setitem(sys.modules, "openautoglm.fake", module)


def test_builds_from_the_inside_out():
    built = build({"part": {"_target_": TARGET, "epochs": 1, "inner": {"x": {"_target_": TARGET, "epochs": 2}}}})
    assert built["part"].inner["x"] == Part(epochs=2)


def test_whole_numbers_become_floats_where_floats_belong():
    assert repr(build({"_target_": TARGET, "epochs": 1, "rate": 2})).startswith("Part(epochs=1, rate=2.0")


def test_text_that_looks_like_a_reference_stays_text():
    assert build({"_target_": TARGET, "epochs": 1, "name": "${oc.env:HOME}"}).name == "${oc.env:HOME}"


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "subprocess.Popen",
        "builtins.eval",
        "openautoglm.fake.function",
        "openautoglm.fake.sys",
        "openautoglm.fake.OrderedDict",
        "openautoglm.fake.Missing",
        "openautoglm.nowhere.Part",
        "openautoglm",
        "openautoglmx.Part",
        "Part",
        "",
    ],
)
def test_nothing_else_is_built(target):
    with pytest.raises(ValueError, match="no class of openautoglm"):
        find_class(target)
    with pytest.raises(ValueError, match=r"x\[0\]\.y\._target_"):
        check_config({"x": [{"y": {"_target_": target}}]})


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"epoch": 1}, r"part\.epoch is no setting of Part; did you mean epochs\?"),
        ({"epochs": 1, "zzz": 1}, r"part\.zzz is no setting of Part; it takes epochs, rate"),
        ({}, r"part\.epochs is not set: Part needs it"),
        ({"epochs": "three"}, r"part\.epochs=three: expected a whole number"),
        ({"epochs": True}, r"part\.epochs=true: expected a whole number"),
        ({"epochs": 1.5}, r"expected a whole number"),
        ({"epochs": None}, r"part\.epochs=null: expected a whole number"),
        ({"epochs": 1, "rate": "x"}, r"part\.rate=x: expected a number"),
        ({"epochs": 1, "name": 3}, r"expected a word or null"),
        ({"epochs": 1, "kind": "c"}, r"part\.kind=c: expected a or b"),
        ({"epochs": 1, "flag": 1}, r"expected true or false"),
        ({"epochs": 1, "dims": "12"}, r"expected a list in brackets"),
        ({"epochs": 1, "inner": "x"}, r"expected a mapping or null"),
    ],
)
def test_what_does_not_bind_is_named_in_one_sentence(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_config({"part": {"_target_": TARGET, **settings}})


def test_what_fits_passes():
    check_config(
        {"_target_": TARGET, "epochs": 1, "rate": 1, "name": "x", "kind": "b", "flag": True, "dims": [1], "inner": {}}
    )


def test_trainer_takes_lightnings_arguments_except_those_of_the_stages():
    check_trainer({"accelerator": "cpu", "gradient_clip_val": 1.0})
    with pytest.raises(ValueError, match=r"did you mean trainer\.devices"):
        check_trainer({"device": 1})
    with pytest.raises(ValueError, match=r"trainer\.callbacks is no setting"):
        check_trainer({"callbacks": []})
