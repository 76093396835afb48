"""HTML elements as functions; text is escaped unless it is already ``Html``."""

from __future__ import annotations

from html import escape


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def el(tag: str, /, *children: str | None, **attributes: str | None) -> Html:
    """An element: ``el("td", "a < b", class_="x", data_label="y")``. None children and attributes are left out."""
    inside = "".join(child if isinstance(child, Html) else escape(child) for child in children if child is not None)
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value, quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if tag in ("img", "meta", "br"):
        return Html(f"<{tag}{written}>")
    return Html(f"<{tag}{written}>{inside}</{tag}>")


def breakable(name: str) -> Html:
    """A name that may break after an underscore where the line is short."""
    return Html(escape(name).replace("_", "_<wbr>"))


def section(title: str, *children: str | None) -> Html:
    """A titled card."""
    return el("section", el("h2", title), *children)


def facts(pairs: dict[str, str | None]) -> Html:
    """A list of names and values; those without a value are left out."""
    inside = [Html(el("dt", name) + el("dd", value)) for name, value in pairs.items() if value]
    return el("dl", *inside)
