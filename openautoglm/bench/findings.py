"""Parts of ``results.json`` beyond a figure a model: confusion, mistakes, what to expect, what INT8 costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class LatencyResult:
    """Milliseconds for one picture."""

    median: float
    q1: float | None = None
    q3: float | None = None
    rounds: int | None = None
    num_threads: int | None = None


@dataclass(frozen=True, kw_only=True)
class ComparisonResult:
    """A method of a program beside the same of another net, in the same rounds and on the same pictures.

    Attributes:
        program: file name.
        method: such as ``"look"``.
        reference: name of the other net.
        size_kb: of the file, all its methods together.
        size_ratio: bytes over the other's.
        latency_ms: of a picture.
        reference_latency_ms: the other's.
        latency_ratio: median over the other's median.
        num_samples: pictures that no stage trained on.
        top1: share of them named right.
        reference_top1: the same of the other net.
        difference: ``reference_top1`` minus ``top1``; positive is a loss.
        ci95: its 95 % interval, see ``openautoglm.bench.paired``.
    """

    program: str
    method: str
    reference: str
    size_kb: float
    size_ratio: float
    latency_ms: LatencyResult
    reference_latency_ms: LatencyResult
    latency_ratio: float
    num_samples: int | None = None
    top1: float | None = None
    reference_top1: float | None = None
    difference: float | None = None
    ci95: tuple[float, float] | None = None


@dataclass(frozen=True)
class PerClassResult:
    """Recall and number of test pictures, class by class."""

    model: str
    classes: tuple[str, ...]
    recall: tuple[float | None, ...]
    support: tuple[int, ...]


@dataclass(frozen=True)
class GroupResult:
    """Accuracy over the test pictures of some of the classes; the answer may be any class."""

    name: str
    classes: tuple[str, ...]
    top1: float | None
    num_samples: int


@dataclass(frozen=True)
class ConfusionResult:
    """Counts: a row a true class, a column a predicted one."""

    model: str
    matrix: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class MistakeResult:
    """A test picture that was named wrong; ``image`` is relative to the run folder."""

    id: str
    truth: str
    predicted: str
    score: float | None = None
    image: str | None = None


@dataclass(frozen=True)
class EstimateResult:
    """What to expect on new pictures, from pictures that were not trained on.

    Attributes:
        top1: share of them named right.
        ci95: 95 % interval; pictures of one group count as little as they agree.
        num_samples: pictures.
        num_folds: trainings that each left some of them out; 0 where a split was held out anyway.
        grouped_by: what told people or sessions apart, None where nothing did.
        num_groups: how many of these.
        temperature: what logits are divided by, so that scores are probabilities.
        calibration_error: expected, as a fraction, without and with the temperature.
        reject_below: score below which a picture is none of the classes.
        suspects: pictures whose label is doubted, by id.
    """

    top1: float
    num_samples: int
    ci95: tuple[float, float] | None = None
    num_folds: int = 0
    grouped_by: str | None = None
    num_groups: int | None = None
    temperature: float = 1.0
    calibration_error: tuple[float, float] | None = None
    reject_below: float | None = None
    suspects: tuple[str, ...] = ()


@dataclass(frozen=True)
class Int8Cost:
    """Accuracy of the float export minus that of the INT8 file, each in the runtime, on the same pictures.

    Attributes:
        difference: as a fraction; positive is a loss.
        ci95: 95 % interval, see ``openautoglm.bench.paired``.
        test_net_loss: pictures of the test split alone that were lost, net.
    """

    runtime: str
    num_samples: int
    difference: float
    ci95: tuple[float, float] | None = None
    test_net_loss: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ExitsResult:
    """What the early exits of a program save and cost; chosen on dev, measured on test.

    Attributes:
        program: file name.
        sure: probability from which an exit is believed; None where none costs little enough, and nothing is saved.
        max_loss: accuracy on dev that it was allowed to cost, as a fraction.
        num_dev: pictures of dev.
        top1_dev: share of them named right when all looks go to the end, and with the exits.
        num_samples: test pictures.
        share_early: of the looks at them, those that end early.
        top1: share of them named right.
        whole_top1: the same when all look to the end.
        difference: ``whole_top1`` minus ``top1``; positive is a loss.
        ci95: its 95 % interval, see ``openautoglm.bench.paired``.
        macs: multiply-adds of a look, mean over the test pictures.
        whole_macs: when it goes to the end.
        latency_ms: of a look or a frame, mean over test pictures in each round.
        whole_latency_ms: the same to the end, in the same rounds.
        per: what the time is for: ``"look"``, or ``"frame"`` of a net that finds hands.
    """

    program: str
    max_loss: float
    sure: float | None = None
    num_dev: int | None = None
    top1_dev: tuple[float | None, float | None] | None = None
    num_samples: int | None = None
    share_early: float = 0.0
    top1: float | None = None
    whole_top1: float | None = None
    difference: float | None = None
    ci95: tuple[float, float] | None = None
    macs: int | None = None
    whole_macs: int | None = None
    latency_ms: LatencyResult | None = None
    whole_latency_ms: LatencyResult | None = None
    per: str = "look"
