"""The body of the page: the table of models, the test split class by class, the mistakes."""

from __future__ import annotations

from pathlib import Path

from openautoglm.bench.paired import wilson_interval
from openautoglm.bench.result import GroupResult, ModelResult, Results
from openautoglm.report import numbers
from openautoglm.report.embed import picture_address
from openautoglm.report.headline import accuracy_interval
from openautoglm.report.markup import Html, breakable, el, section
from openautoglm.report.tables import KINDS, RUNTIMES, ordered

MAX_MISTAKES = 60
MAX_CONFUSIONS = 8
HEADINGS = ("Test top-1", "Against eager", "Size", "Latency", "Runs in INT8")
NOTES = (
    "Test top-1: with its 95 % interval.",
    "Against eager: points to the PyTorch model that was exported, and how often both give the same answer.",
    "",
    "Latency: one picture, median and quartiles, rounds interleaved with the float export.",
    "Runs in INT8: convolutions and linear layers that the runtime computes in integers.",
)


def models_table(results: Results) -> Html | None:
    """Teacher, students and each INT8 file; a file's float export stands small beside it."""
    rows = [m for m in ordered(results) if not _is_twin(results, m)]
    if not rows:
        return None
    used = [any(_cells(results, m)[i][0] != numbers.MISSING for m in rows) for i in range(len(HEADINGS))]
    head = el("tr", el("th", "Model"), *[el("th", h) for h, use in zip(HEADINGS, used, strict=True) if use])
    body = [_row(results, model, used) for model in rows]
    note = " ".join(text for text, use in zip(NOTES, used, strict=True) if use and text)
    table = el("table", el("thead", head), el("tbody", *body), class_="models")
    return section("Every step and every file", table, el("p", note, class_="note") if note else None)


def recall(results: Results) -> Html | None:
    """One bar a class, the weakest first, with the interval that its number of pictures allows."""
    per_class = results.per_class
    if per_class is None or not per_class.classes:
        return None
    rows = zip(per_class.classes, per_class.recall, per_class.support, strict=False)
    known = sorted((row for row in rows if row[1] is not None), key=lambda row: (row[1], row[0]))
    bars = [_recall_bar(name, share or 0.0, support) for name, share, support in known]
    note = f"{per_class.model}, {_split(results)}, weakest class first. The line across is the 95 % interval."
    note += "".join(f" {group_sentence(group)}." for group in results.groups)
    return section("Recall of each class", el("div", *bars, class_="bars two"), el("p", note, class_="note"))


def group_sentence(group: GroupResult) -> str:
    """Accuracy over a group of classes in words."""
    pictures = f"{numbers.count(group.num_samples)} pictures of the {len(group.classes)} {group.name} classes"
    return f"Of the {pictures}, {numbers.percent(group.top1)} are named right"


def confusion(results: Results) -> Html | None:
    """The matrix, shaded by share of the row, and the pairs most often mixed up."""
    if results.confusion is None or not results.confusion.matrix:
        return None
    matrix = results.confusion.matrix
    classes = results.data.classes if results.data else ()
    names = list(classes) if len(classes) == len(matrix) else [str(i) for i in range(len(matrix))]
    head = el("tr", el("th", ""), *[el("th", el("span", name), scope="col", title=name) for name in names])
    rows = [_matrix_row(names, i, counts) for i, counts in enumerate(matrix)]
    table = el("table", el("thead", head), el("tbody", *rows), class_="confusion")
    note = (
        f"{results.confusion.model}, {_split(results)}. Rows: the truth; columns: the answer. Blue is right, orange is "
        "wrong."
    )
    grid = el("div", table, class_="scroll", tabindex="0", role="region", aria_label="Confusion matrix")
    pairs = el("div", el("h3", "Most often"), _worst_pairs(matrix, names), class_="pairs")
    body = el("div", grid, pairs, class_="beside")
    return section("Which gestures are mixed up", body, el("p", note, class_="note"))


def mistakes(results: Results, run_folder: Path) -> Html | None:
    """Pictures that were named wrong, the surest answers first."""
    if not results.mistakes:
        return None
    ranked = sorted(results.mistakes, key=lambda m: -(m.score or 0))[:MAX_MISTAKES]
    figures = []
    for mistake in ranked:
        address = picture_address(run_folder, mistake.image, max_side_px=256)
        picture = (
            el("img", src=address, alt=f"{mistake.truth} named {mistake.predicted}", title=mistake.id)
            if address
            else el("div", "no picture", class_="none", title=mistake.id)
        )
        score = el("small", f"{numbers.percent(mistake.score, 0)} sure") if mistake.score is not None else None
        answer = el("div", "named ", el("b", breakable(mistake.predicted)))
        caption = el("figcaption", el("div", "is ", el("b", breakable(mistake.truth))), answer, score)
        figures.append(el("figure", picture, caption))
    left = len(results.mistakes) - len(ranked)
    note = f"The surest {len(ranked)} of {len(results.mistakes)}." if left else "The surest first."
    return section("Mistakes", el("div", *figures, class_="mistakes"), el("p", note, class_="note"))


def contact_sheet(results: Results, run_folder: Path) -> Html | None:
    """What the pictures look like."""
    address = picture_address(run_folder, results.contact_sheet)
    if address is None:
        return None
    name = results.data.name if results.data else "the data"
    sheet = el("img", src=address, alt=f"Contact sheet of {name}", class_="sheet")
    return section("The pictures", el("div", sheet, class_="scroll"))


def _split(results: Results) -> str:
    """What was named: without pictures to spare, those that each fold left out."""
    held_out = results.data is None or results.data.num_test != 0
    return "test split" if held_out else "every picture by a net that never saw it"


def _is_twin(results: Results, model: ModelResult) -> bool:
    return any(results.float_twin(other) is model for other in results.models)


def _row(results: Results, model: ModelResult, used: list[bool]) -> Html:
    classes = ["file"] if model.runtime != "eager" else []
    classes += ["main"] if model is numbers.primary(results) else []
    about = [KINDS[model.kind], RUNTIMES.get(model.runtime, model.runtime)]
    if model.runtime == "eager":
        about += [model.architecture or ""]
        about += [f"{numbers.magnitude(model.num_params)} parameters"] if model.num_params else []
        about += [f"{numbers.magnitude(model.macs)} MACs"] if model.macs else []
    first = el("td", model.name, el("small", " · ".join(filter(None, about))))
    cells = []
    for heading, (figure, note), use in zip(HEADINGS, _cells(results, model), used, strict=True):
        if use:
            empty = "empty" if figure == numbers.MISSING else None
            small = [el("small", line) for line in note.split("\n") if line]
            cells.append(el("td", figure, *small, data_label=heading, class_=empty))
    return el("tr", first, *cells, class_=" ".join(classes) or None)


def _cells(results: Results, model: ModelResult) -> list[tuple[str, str]]:
    """A figure and a smaller note for each heading."""
    twin = results.float_twin(model)
    interval = accuracy_interval(results, model)
    accuracy = numbers.extent(interval.low, interval.high) if interval else ""
    accuracy += f"\ndev {numbers.percent(model.top1_dev)}" if model.top1_dev is not None else ""
    accuracy += f"\nfloat {numbers.percent(twin.top1)}" if twin and twin.top1 is not None else ""
    agreement = f"agrees {numbers.percent(model.agreement)}" if model.agreement is not None else ""
    size = f"float {numbers.size(twin.size_kb)}" if twin and twin.size_kb is not None else ""
    size += f"\n{numbers.ratio(model.size_ratio)}" if model.size_ratio is not None else ""
    spread = numbers.quartiles(model.latency_ms)
    if twin and twin.latency_ms:
        spread += f"\nfloat {numbers.milliseconds(twin.latency_ms.median)}"
    spread += f"\n{numbers.ratio(model.latency_ratio)}" if model.latency_ratio is not None else ""
    return [
        (numbers.percent(model.top1), accuracy),
        (numbers.points(model.top1_minus_eager), agreement),
        (numbers.size(model.size_kb), size),
        (numbers.milliseconds(model.latency_ms.median if model.latency_ms else None), spread),
        (numbers.census_line(model) if model.kind != "float" else numbers.MISSING, _left_in_float(model)),
    ]


def _left_in_float(model: ModelResult) -> str:
    names = numbers.float_heavy(model)
    return f"in float: {', '.join(names[:4])}{' …' if len(names) > 4 else ''}" if names else ""


def _recall_bar(name: str, share: float, support: int) -> Html:
    whisker = None
    if support > 0 and 0 <= share <= 1:
        interval = wilson_interval(round(share * support), support)
        whisker = el("u", style=f"left:{100 * interval.low:.1f}%;width:{100 * (interval.high - interval.low):.1f}%")
    track = el("div", el("i", style=f"width:{100 * share:.1f}%"), whisker, class_="track")
    value = el("span", numbers.percent(share), " ", el("small", f"of {numbers.count(support)}"), class_="value")
    return el("div", el("span", breakable(name), class_="name"), track, value, class_="bar")


def _matrix_row(names: list[str], row: int, counts: tuple[int, ...]) -> Html:
    total = max(1, sum(counts))
    cells = []
    for column, number in enumerate(counts):
        share, hue = number / total, "blue" if row == column else "orange"
        # The root makes one mistake in a hundred visible.
        shade = share if row == column else min(1.0, 0.12 + share**0.5)
        hint = f"{names[row]} named {names[column]}: {number} of {sum(counts)}"
        look = f"background:rgb(var(--{hue}-rgb) / {shade:.2f})" if number else None
        kind = "zero" if not number else ("strong" if shade > 0.6 else None)
        cells.append(el("td", str(number) if number else "", style=look, class_=kind, title=hint))
    return el("tr", el("th", names[row], scope="row", title=names[row]), *cells)


def _worst_pairs(matrix: tuple[tuple[int, ...], ...], names: list[str]) -> Html:
    pairs = [
        (number, sum(counts), names[row], names[column])
        for row, counts in enumerate(matrix)
        for column, number in enumerate(counts)
        if row != column and number
    ]
    if not pairs:
        return el("p", "None: every test picture was named right.")
    pairs.sort(key=lambda pair: (-pair[0], -pair[0] / pair[1], pair[2]))
    items = [el("li", el("b", breakable(truth)), " named ", el("b", breakable(answer)), f": {number} of {total}")
             for number, total, truth, answer in pairs[:MAX_CONFUSIONS]]  # fmt: skip
    return el("ul", *items)
