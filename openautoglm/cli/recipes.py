"""Where recipes and configs lie, and what a recipe says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Recipe:
    """One file of ``recipes/``.

    Attributes:
        name: what stands behind ``recipe=``.
        path: the file.
        header: the comment at its top, without the ``#``.
    """

    name: str
    path: Path
    header: tuple[str, ...]

    @property
    def summary(self) -> str:
        """First line of the header."""
        return self.header[0] if self.header else ""


def shipped_folder(name: str) -> Path:
    """``configs`` or ``recipes``: inside the package in a wheel, beside it in a clone."""
    for folder in (_PACKAGE / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise ValueError(f"openautoglm's {name}/ is missing from {_PACKAGE.parent}: install the package again")


def find_recipes() -> dict[str, Recipe]:
    """All recipes by name, in alphabetical order."""
    files = sorted(shipped_folder("recipes").glob("*.yaml"))
    return {path.stem: Recipe(path.stem, path, _header(path)) for path in files}


def find_groups(config: str = "train") -> dict[str, tuple[str, ...]]:
    """Each group that ``configs/CONFIG.yaml`` chooses from, with its choices; ``recipe`` may be one of them."""
    configs = shipped_folder("configs")
    content = OmegaConf.to_container(OmegaConf.load(configs / f"{config}.yaml"))
    assert isinstance(content, dict)
    entries = [entry for entry in content.get("defaults", ()) if isinstance(entry, dict)]
    names = sorted(str(name) for entry in entries for name in entry)
    groups = {name: tuple(sorted(path.stem for path in (configs / name).glob("*.yaml"))) for name in names}
    return groups | ({"recipe": tuple(find_recipes())} if "recipe" in groups else {})


def register_recipes() -> None:
    """Make ``recipe=NAME`` a config group: Hydra does not find a flat folder beside its own."""
    store = ConfigStore.instance()
    for recipe in find_recipes().values():
        node = OmegaConf.load(recipe.path)
        store.store(group="recipe", name=recipe.name, package="_global_", node=node, provider=str(recipe.path))


def _header(path: Path) -> tuple[str, ...]:
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            lines.append(line[1:].removeprefix(" ").rstrip())
    return tuple(lines)
