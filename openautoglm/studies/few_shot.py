"""How many pictures of a gesture of one's own are enough, and are unknown gestures told apart?

``recipe=finetune_int8`` on a few pictures a class, each of another person, measured as INT8 program on people it never
saw; a timm net from scratch on the same pictures for the same time stands beside it. For unknown gestures, classes are
left out of training and their test pictures must score lower than the others'.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from openautoglm.bench.calibration import auroc, confidence
from openautoglm.bench.origin import collect_commit, collect_device, collect_versions
from openautoglm.bench.result import to_plain
from openautoglm.data.base import ImageSet
from openautoglm.data.cache import content_key
from openautoglm.data.folder import FolderGestures
from openautoglm.data.people import EVERY, person_of_each
from openautoglm.data.pool import GivenPictures
from openautoglm.data.splits import known_classes
from openautoglm.data.transforms import Augment
from openautoglm.models import TimmClassifier
from openautoglm.runtime.engines import open_engine
from openautoglm.stages.evaluate import predict, predict_each, top1
from openautoglm.stages.export import Export
from openautoglm.stages.finetune import Finetune
from openautoglm.stages.loop import run_stages
from openautoglm.stages.quantize import Quantize
from openautoglm.studies.rows import begin_row, keep_row
from openautoglm.studies.trainings import run_of
from openautoglm.train import FitSettings, LitClassify, OneCycle, fit
from openautoglm.zoo import store

Count = int | Literal["all"]
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a study is carried out and on what: its folder, all pictures, the person of each, those measured on."""

    folder: Path
    settings: FitSettings
    pictures: ImageSet
    people: NDArray[np.int64]
    test: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class FewShotStudy:
    """Both answers.

    Attributes:
        data: pictures in a folder a class whose numbers run from person to person.
        shots: pictures a class; ``"all"`` takes every training person.
        num_draws: of the people, for each number of pictures; all of them are drawn once.
        num_baseline_draws: of these on which the baseline is trained too.
        left_out: classes that are unknown, one list a training.
        finetune: as in ``recipe=finetune_int8``, without folds.
        quantize: likewise.
        augment: likewise.
        model: architecture.
        init: released net that is fine-tuned; None for the one called as the architecture.
        baseline: timm's name.
        seed: of people and trainings.
    """

    data: FolderGestures
    shots: Sequence[Count] = (5, 20, "all")
    num_draws: int = 5
    num_baseline_draws: int = 2
    left_out: Sequence[Sequence[str]] = (("0", "1", "2"), ("3", "4", "5"), ("6", "7", "8"))
    finetune: Finetune
    quantize: Quantize
    augment: Augment = field(default_factory=Augment)
    model: str = "openautoglm-small"
    init: str | None = None
    baseline: str = "mobilenetv3_small_100"
    seed: int = 0

    def __call__(self, folder: Path, *, settings: FitSettings) -> dict[str, Any]:
        """Measure; trainings and the figures so far lie in ``folder``.

        The same command with the same folder goes on: a training that is done is not repeated.
        """
        if self.data.holds_out("dev") or self.data.holds_out("test"):
            raise ValueError(
                "this study makes its own splits: add data.dev_fraction=0 data.test_fraction=0, and give a folder "
                "without train/ and test/"
            )
        pictures = self.data.load("train")
        people = person_of_each(pictures)
        test = np.flatnonzero(people % EVERY == 0)
        place = _Place(folder=folder, settings=settings, pictures=pictures, people=people, test=test)
        shots: dict[Count, list[Row]] = {}
        unknown: list[Row] = []
        for count in self.shots:
            for draw in range(self.num_draws if count != "all" else 1):
                shots.setdefault(count, []).append(self._shot(place, count, draw))
                self._write(place, shots, unknown)
        for names in self.left_out:
            unknown.append(self._unknown(place, names))
            self._write(place, shots, unknown)
        return self._write(place, shots, unknown, complete=True)

    def _write(
        self, place: _Place, shots: Mapping[Count, Sequence[Row]], unknown: Sequence[Row], *, complete: bool = False
    ) -> dict[str, Any]:
        """The figures so far."""
        pictures, aurocs = place.pictures, [row["auroc"] for row in unknown]
        figures = {
            "study": "few_shot",
            "measured": True,
            "complete": complete,
            "data": {"name": self.data.name, "fingerprint": pictures.fingerprint, "classes": list(pictures.classes)},
            "num_people": int(place.people.max()) + 1,
            "num_test": len(place.test),
            "shots": [_summary(count, rows) for count, rows in shots.items()],
            "unknown": [{name: value for name, value in row.items() if name != "key"} for row in unknown],
            "unknown_auroc_mean": float(np.mean(aurocs)) if aurocs else None,
            "settings": {
                "model": self.model,
                "init": self._init,
                "baseline": self.baseline,
                "seed": self.seed,
                "finetune": {name: value for name, value in asdict(self.finetune).items() if name != "losses"},
            },
            "versions": collect_versions(),
            "device": to_plain(collect_device(num_threads=torch.get_num_threads(), accelerator="cpu")),
            "commit": collect_commit(),
        }
        store.write_json(place.folder / "figures.json", figures)
        return figures

    @property
    def _init(self) -> str:
        return self.init or self.model

    def _shot(self, place: _Place, count: Count, draw: int) -> Row:
        """One draw of so many pictures a class."""
        folder = place.folder / f"shots_{count}_{draw}"
        rows = self._draw(place.people, count, draw)
        given = self._given(place.pictures, rows, place.test)
        fresh = {"num_train": len(rows), "int8_top1": None, "seconds": None, "baseline_top1": None}
        row = begin_row(folder, {"key": self._key(given), **fresh})
        if row["int8_top1"] is None:
            answers, took = self._finetuned(folder, place.settings, given)
            right = top1(answers, given.load("test"))
            row |= {"int8_top1": right, "seconds": took}
            keep_row(folder, row)
            place.settings.console.print(f"{count} a class, draw {draw + 1}: {100 * right:.1f} % after {took:.0f} s")
        if row["baseline_top1"] is None and draw < self.num_baseline_draws:
            row["baseline_top1"] = self._baseline(folder / "baseline", place.settings, given, row["seconds"])
            keep_row(folder, row)
        return row

    def _unknown(self, place: _Place, names: Sequence[str]) -> Row:
        """Train without some classes; how well the score tells their test pictures from the others'."""
        folder = place.folder / f"without_{'_'.join(names)}"
        known = tuple(name for name in place.pictures.classes if name not in names)
        renamed = known_classes(place.pictures, known)
        inside = np.flatnonzero((renamed.labels >= 0) & (place.people % EVERY != 0))
        given = self._given(renamed, inside, place.test)
        row = begin_row(folder, {"key": self._key(given), "left_out": list(names), "auroc": None})
        if row["auroc"] is not None:
            return row
        answers, _ = self._finetuned(folder, place.settings, given)
        labels = given.load("test").labels
        sure = confidence(answers)
        right = answers.argmax(axis=1) == labels
        row |= {
            "auroc": auroc(sure[labels >= 0], sure[labels < 0]),
            "known_top1": float(right[labels >= 0].mean()),
            "num_known": int((labels >= 0).sum()),
            "num_unknown": int((labels < 0).sum()),
        }
        keep_row(folder, row)
        place.settings.console.print(f"without {', '.join(names)}: AUROC {row['auroc']:.3f}")
        return row

    def _draw(self, people: NDArray[np.int64], count: Count, draw: int) -> NDArray[np.int64]:
        """Pictures of the first people of a random order; never of those that are measured on."""
        training = np.unique(people[people % EVERY != 0])
        if count != "all":
            training = np.random.default_rng((self.seed, draw)).permutation(training)[:count]
        return np.flatnonzero(np.isin(people, training))

    def _given(self, pictures: ImageSet, rows: NDArray[np.int64], test: NDArray[np.int64]) -> GivenPictures:
        train = pictures.take(rows.tolist())
        splits = {"train": train, "dev": train, "test": pictures.take(test.tolist())}
        return GivenPictures(splits=splits, mirror=self.data.mirror, name=self.data.name)  # type: ignore[arg-type]

    def _key(self, given: GivenPictures) -> str:
        """Hash of what shapes a training and its figure."""
        parts = [(given.load(split).ids, given.load(split).labels.tolist()) for split in ("train", "test")]
        stages = [
            {**asdict(stage), "losses": {name: (type(loss), vars(loss)) for name, loss in stage.losses.items()}}
            for stage in (self.finetune, self.quantize)
        ]
        settings = (self.model, self._init, self.baseline, self.seed, self.augment, given.mirror)
        return content_key(given.load("train").fingerprint, parts, stages, settings)

    def _finetuned(self, place: Path, settings: FitSettings, given: GivenPictures) -> tuple[NDArray[np.float32], float]:
        """Logits ``(n, k)`` of the INT8 program on test, and the seconds that it took to make."""
        results = run_stages(
            run_of(self, place, model=self.model, settings=settings, seed=self.seed, source=given, init=self._init),
            {
                "finetune": replace(self.finetune, num_folds=0),
                "quantize": self.quantize,
                "export": Export(backends=("executorch",)),
            },
        )
        assert results.seconds is not None
        engine = open_engine("executorch", place / "export" / "int8.pte", method="look", output_names=("logits",))
        answers = predict_each(engine.run, given.load("test"), title="test", console=settings.console)
        return answers, results.seconds

    def _baseline(self, place: Path, settings: FitSettings, given: GivenPictures, seconds: float) -> float:
        """Test accuracy, in float, of a timm net trained from scratch for as long."""
        shutil.rmtree(place, ignore_errors=True)  # an interrupted one cannot be timed
        torch.manual_seed(self.seed)
        run = run_of(self, place, model=self.baseline, settings=settings, seed=self.seed, source=given)
        num_classes = len(given.class_names())

        def train(epochs: int, name: str) -> torch.nn.Module:
            net = TimmClassifier(architecture=self.baseline, num_classes=num_classes, pretrained=False)
            net.to(memory_format=torch.channels_last)
            lit = LitClassify(
                model=net, num_classes=num_classes, label_smoothing=0.1, optim=OneCycle(learning_rate=4e-3)
            )
            data = run.data(batch_size=self.finetune.batch_size, at_least=self.finetune.at_least)
            fit(lit, data, folder=place / name, title=name, epochs=epochs, settings=settings, keep_best=False)
            return net

        start = time.perf_counter()
        train(1, "one epoch")
        one_epoch = time.perf_counter() - start
        net = train(max(1, round(seconds / one_epoch)), "baseline")
        test = given.load("test")
        return top1(predict(net.eval(), test), test)


def _summary(count: Count, rows: Sequence[Row]) -> dict[str, Any]:
    """One number of pictures a class, over its draws."""
    baseline = [row["baseline_top1"] for row in rows if row["baseline_top1"] is not None]
    top1s = [row["int8_top1"] for row in rows]
    return {
        "pictures_a_class": count,
        "num_train": [row["num_train"] for row in rows],
        "int8_top1": top1s,
        "int8_top1_mean": float(np.mean(top1s)),
        "seconds": [row["seconds"] for row in rows],
        "baseline_top1": baseline,
        "baseline_top1_mean": float(np.mean(baseline)) if baseline else None,
    }
