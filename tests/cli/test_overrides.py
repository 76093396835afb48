"""What people type becomes what Hydra reads."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from openautoglm.cli.overrides import digestible, parse_arguments, refuse_sweep, spread, take

AWKWARD = [
    "手势 (1)/it's, a=b#c",
    "Photos (1)",
    "a#b",
    "café & co",
    "a,b",
    "[1, 2]",
    "{a: b}",
    "${oc.env:HOME}",
    r"a\${b}",
    "back\\",
    "it's\\",
    '%!*|<>?"',
    "1e3",
    "true",
    "a b=c",
]


def read(word: str) -> object:
    """The value as the config will hold it."""
    parsed = OverridesParser.create().parse_override(word)
    return OmegaConf.to_container(OmegaConf.create({"value": parsed.value()}), resolve=True)["value"]


@pytest.mark.parametrize("key", ["data.root", "resume", "artifact", "init", "+data.folder"])
@pytest.mark.parametrize("path", AWKWARD)
def test_paths_arrive_as_they_are(key, path):
    assert read(digestible(f"{key}={path}")) == path


def test_json_becomes_absolute_because_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read(digestible("json=out (1).json")) == str(tmp_path / "out (1).json")


def test_existing_paths_become_absolute_and_names_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "it's here").mkdir()
    assert read(digestible("data.root=it's here")) == str(tmp_path / "it's here")
    assert read(digestible("init=openautoglm-small")) == "openautoglm-small"
    assert read(digestible("study.pruned=it's here")) == str(tmp_path / "it's here")


def test_tilde_is_the_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert read(digestible("data.root=~/手势")) == "/home/me/手势"


def test_quotes_of_someone_who_knows_hydra_are_taken_off():
    assert read(digestible("data.root='a b'")) == "a b"


def test_null_stays_null():
    assert read(digestible("init=null")) is None


def test_empty_path_is_refused():
    with pytest.raises(ValueError, match=r"data\.root= is empty"):
        digestible("data.root=")


def test_other_values_are_quoted_only_where_they_must():
    assert digestible("seed=1") == "seed=1"
    assert digestible("stages.export.backends=[onnx,litert]") == "stages.export.backends=[onnx,litert]"
    assert read(digestible("data.label_column=手势")) == "手势"


@pytest.mark.parametrize("words", [["seed"], ["=1"], ["--foo"], ["--cfg", "all"], ["a b.+c=1"]])
def test_what_is_no_setting_is_refused(words):
    with pytest.raises(ValueError, match=r"key=value|--cfg job"):
        parse_arguments(words)


def test_flags_and_settings_are_told_apart():
    options = parse_arguments(["-m", "seed=0,1", "--help", "--cfg", "job"])
    assert (options.sweep, options.show_help, options.show_config) == (True, True, True)
    assert options.typed == ("seed=0,1",)


def test_sweep_without_m_is_refused():
    with pytest.raises(ValueError, match="seed=0,1 names several values: put -m"):
        refuse_sweep(["seed=0,1"])
    refuse_sweep([digestible("data.root=a,b")])


def test_sweep_is_spread_with_the_first_key_slowest():
    jobs = spread(["recipe=kd,dkd", "seed=0,1", "stages.distill.epochs=2"])
    assert [(job.setting, job.seed) for job in jobs] == [
        ("recipe=kd", 0),
        ("recipe=kd", 1),
        ("recipe=dkd", 0),
        ("recipe=dkd", 1),
    ]
    assert jobs[2].overrides == ("recipe=dkd", "seed=0", "stages.distill.epochs=2")


def test_sweep_over_a_range_and_not_over_a_pattern():
    assert [job.seed for job in spread(["seed=range(0,3)"])] == [0, 1, 2]
    with pytest.raises(ValueError, match="one by one"):
        spread(["recipe=glob(*)"])


def test_take_returns_the_value_and_the_rest():
    assert take(["seed=1", digestible("resume=a b")], "resume") == ("a b", ("seed=1",))
    assert take(["seed=1", "resume=null"], "resume") == (None, ("seed=1",))
