"""What can be expected on new pictures when all pictures were needed for training."""

from __future__ import annotations

from openautoglm.bench.result import EstimateResult, Results
from openautoglm.report import numbers
from openautoglm.report.markup import Html, breakable, el, section

MAX_SUSPECTS = 24


def expectation(results: Results) -> Html | None:
    """How the estimate came about, what scores mean, and which labels to check."""
    found = results.estimate
    if found is None:
        return None
    lines = [what_to_expect(found), _scores(found)]
    suspects = found.suspects[:MAX_SUSPECTS]
    more = len(found.suspects) - len(suspects)
    listed = None
    if suspects:
        rest = [el("li", f"and {more} more in results.json")] if more else []
        listed = el(
            "div",
            el("p", "Labels to check: these look like another class as much as that class's own pictures do."),
            el("ul", *[el("li", breakable(name)) for name in suspects], *rest),
        )
    return section("What to expect", *[el("p", line) for line in lines], listed)


def what_to_expect(found: EstimateResult) -> str:
    """The estimate, its interval and how it came about, in sentences."""
    if not found.num_folds:
        where = f"{numbers.count(found.num_samples)} pictures that were not trained on"
    else:
        where = (
            f"{found.num_folds} trainings that each left some of the {numbers.count(found.num_samples)} pictures out "
            "and named these"
        )
    interval = f" (95{numbers.THIN}% interval {numbers.extent(*found.ci95)})" if found.ci95 else ""
    text = f"Of new pictures {numbers.percent(found.top1)} can be expected to be named right{interval}: by {where}."
    if found.grouped_by:
        return text + f" No person or session was on both sides: {found.num_groups} groups by {found.grouped_by}."
    return text + (
        " File names tell no people apart: if one person is on many pictures, expect less of people who are on none."
    )


def _scores(found: EstimateResult) -> str:
    text = f"Scores are divided by a temperature of {found.temperature:.2f}"
    if found.calibration_error is not None:
        before, after = found.calibration_error
        text += (
            f": they miss the true share of right answers by {numbers.percent(after)} on average, without it by "
            f"{numbers.percent(before)}"
        )
    if found.reject_below is not None:
        text += f". A hand whose score is below {found.reject_below:.2f} is answered as unknown"
    return text + "."
