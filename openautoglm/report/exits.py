"""What the early exits of a net save and cost, in words."""

from __future__ import annotations

from openautoglm.bench.result import ExitsResult, Results
from openautoglm.report import numbers
from openautoglm.report.markup import Html, el, facts, section


def exits_sentence(found: ExitsResult) -> str:
    """One line for the terminal."""
    if found.sure is None:
        return f"no look ends early: each threshold costs more than {numbers.percent(found.max_loss, 2)} on dev"
    text = f"{numbers.percent(found.share_early)} of the looks end early"
    if found.top1 is not None and found.whole_top1 is not None:
        text += f", {numbers.points(found.top1 - found.whole_top1)} points"
    if found.latency_ms is not None and found.whole_latency_ms is not None:
        text += f", {numbers.ratio(found.latency_ms.median / found.whole_latency_ms.median)} the time"
    return text


def exits(results: Results) -> Html | None:
    """From when on an exit is believed, and what comes of it."""
    found = results.exits
    if found is None:
        return None
    allowed = f"{numbers.percent(found.max_loss, 2)} of accuracy on the {numbers.count(found.num_dev)} pictures of dev"
    if found.sure is None:
        text = f"No exit is believed: every threshold that was tried costs more than {allowed}."
        return section("Early exits", el("p", text))
    pictures = f"{numbers.count(found.num_samples)} test pictures"
    listed = facts({
        "Believed from": f"a probability of {found.sure:g}, the smallest that costs at most {allowed}",
        "End early": f"{numbers.percent(found.share_early)} of the looks at {pictures}",
        "Test top-1": _accuracy(found),
        "Multiply-adds": _macs(found),
        "Time": _time(found),
    })  # fmt: skip
    return section("Early exits", el("p", f"{found.program}, against looking to the end."), listed)


def _accuracy(found: ExitsResult) -> str:
    text = f"{numbers.percent(found.top1, 2)} of {numbers.percent(found.whole_top1, 2)}"
    if found.difference is None or found.ci95 is None:
        return text
    low, high = numbers.points(-found.ci95[1]), numbers.points(-found.ci95[0])
    return f"{text}: {numbers.points(-found.difference)} points, 95{numbers.THIN}% interval {low} to {high}"


def _macs(found: ExitsResult) -> str | None:
    if found.macs is None:
        return None
    return f"{numbers.magnitude(found.macs)} of {numbers.magnitude(found.whole_macs)}, mean of a look"


def _time(found: ExitsResult) -> str | None:
    early, whole = found.latency_ms, found.whole_latency_ms
    if early is None or whole is None:
        return None
    text = f"{numbers.milliseconds(early.median)} of {numbers.milliseconds(whole.median)}, mean of a {found.per}"
    return f"{text}, {numbers.ratio(early.median / whole.median)}; {early.rounds} rounds in turn"
