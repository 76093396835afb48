"""The rendered task is no toy: what a linear model sees in small pictures does not solve it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openautoglm.data.base import ImageSet
from openautoglm.data.synthetic import SyntheticGestures

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:lbfgs failed to converge")]


def shrink(image_set: ImageSet) -> np.ndarray:
    small = [Image.fromarray(np.array(image)).resize((32, 32), Image.Resampling.BOX) for image in image_set.images]
    return np.stack([np.asarray(image, np.float32).ravel() / 255 - 0.5 for image in small])


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> tuple[ImageSet, ImageSet]:
    root: Path = tmp_path_factory.mktemp("cache")
    source = SyntheticGestures(root=root, num_train=6000, num_dev=12, num_test=1500)
    return source.load("train"), source.load("test")


def test_logistic_regression_on_small_pictures_stays_below_a_half(splits) -> None:
    from sklearn.linear_model import LogisticRegression

    train, test = splits
    best = 0.0
    for strength in (1e-3, 1e-2):
        model = LogisticRegression(C=strength, max_iter=100).fit(shrink(train), train.labels)
        best = max(best, float(model.score(shrink(test), test.labels)))
    assert 1.5 / 12 < best <= 0.50


def test_shuffled_labels_teach_nothing(splits) -> None:
    from sklearn.linear_model import LogisticRegression

    train, test = splits
    shuffled = np.random.default_rng(0).permutation(train.labels)
    model = LogisticRegression(C=1e-3, max_iter=60).fit(shrink(train), shuffled)
    assert model.score(shrink(test), test.labels) <= 1.5 / 12
