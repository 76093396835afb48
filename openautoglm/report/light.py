"""Pictures outside the page: its style, with the colours that it has by light."""

from __future__ import annotations

import re
from typing import Any

from openautoglm.report.plots import STYLE, THEME
from openautoglm.report.style import CSS

# by light a colour is named first
LIGHT = dict(reversed(re.findall(r"--(\w+): (#[0-9a-f]{6})", CSS)))


def light_style() -> dict[Any, Any]:
    """For ``matplotlib.rc_context``."""
    named = {placeholder: variable[len("var(--") : -1] for placeholder, variable in THEME.items()}
    plain = {key: LIGHT[named[value]] if value in named else value for key, value in STYLE.items()}
    return plain | {"figure.facecolor": LIGHT["card"], "savefig.facecolor": LIGHT["card"]}
