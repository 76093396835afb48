"""Every recipe says what it is, composes and binds."""

import pytest

from openautoglm.cli.compose import compose_config
from openautoglm.cli.launch import check
from openautoglm.cli.recipes import find_groups, find_recipes, shipped_folder

RECIPES = find_recipes()
FURTHER_ROOTS = {"spot_hagrid_int8": ("frames.crops.root", "frames.others.webcam.root")}


@pytest.fixture(params=RECIPES)
def recipe(request):
    return RECIPES[request.param]


def test_header_says_what_it_is(recipe):
    text = "\n".join(recipe.header)
    assert 20 < len(recipe.summary) <= 64  # one line of --help
    for word in ("Paper:", "arXiv", "Command:", f"recipe={recipe.name}", "Hardware:", "Expected:"):
        assert word in text
    places = [f"recipes/results/{folder}{recipe.name}.json" for folder in ("", "studies/")]
    assert any(place in text for place in places) or "not measured yet" in text


def test_overrides_are_few(recipe):
    lines = recipe.path.read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line and not line.startswith("#")]) <= 60


def test_composes_and_binds(recipe, tmp_path):
    roots = ["data.root", *FURTHER_ROOTS.get(recipe.name, ())]
    config = compose_config("train", [f"recipe={recipe.name}", *(f"++{root}='{tmp_path}'" for root in roots)])
    check(config)
    assert config.recipe == recipe.name


def test_readme_lists_every_recipe():
    text = (shipped_folder("recipes") / "README.md").read_text(encoding="utf-8")
    assert not [name for name in RECIPES if f"| `{name}` |" not in text]


def choices() -> list[str]:
    return [f"{group}={name}" for group, names in find_groups().items() for name in names if group != "recipe"]


@pytest.mark.parametrize("choice", choices())
def test_every_choice_composes_and_binds(choice, tmp_path):
    stage = f"stage=[{choice.removeprefix('stage=')}]" if choice.startswith("stage=") else choice
    words = [stage, f"++data.root='{tmp_path}'"]
    check(compose_config("train", words))


def test_every_model_config_is_a_registered_model():
    from openautoglm.models import list_architectures

    assert set(find_groups()["model"]) <= set(list_architectures())
    for name in find_groups()["model"]:
        assert compose_config("train", [f"model={name}"]).values["model"]["architecture"] == name
