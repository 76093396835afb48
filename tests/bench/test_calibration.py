import numpy as np
import pytest

from openautoglm.bench.calibration import (
    auroc,
    calibration_error,
    confidence,
    fit_temperature,
    rejection_threshold,
)


def drawn(sharpness: float, num: int = 4000):
    """Logits whose softmax is the true distribution of the labels, then made too sure by a factor."""
    random = np.random.default_rng(0)
    honest = random.normal(size=(num, 4)) * 1.5
    chances = np.exp(honest) / np.exp(honest).sum(1, keepdims=True)
    labels = np.array([random.choice(4, p=row) for row in chances])
    return honest * sharpness, labels


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_temperature_undoes_what_made_the_scores_wrong(sharpness):
    logits, labels = drawn(sharpness)
    temperature = fit_temperature(logits, labels)
    assert temperature == pytest.approx(sharpness, rel=0.12)
    assert calibration_error(logits, labels, temperature=temperature) < 0.03


def test_overconfidence_is_an_error():
    logits, labels = drawn(3.0)
    assert calibration_error(logits, labels) > 0.1


def test_calibration_error_by_hand():
    """Two pictures, both 0.731 sure, one right: |0.5 - 0.731|."""
    logits = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert calibration_error(logits, np.array([0, 1])) == pytest.approx(0.2310586)


def test_confidence_by_hand():
    assert confidence(np.array([[1.0, 0.0]]))[0] == pytest.approx(0.7310586)
    assert confidence(np.array([[1.0, 0.0]]), temperature=2.0)[0] == pytest.approx(0.6224593)
    assert confidence(np.array([[1e4, 0.0]]))[0] == 1.0


def test_threshold_keeps_the_share_of_right_answers():
    logits, labels = drawn(1.0)
    threshold = rejection_threshold(logits, labels, temperature=1.0, keep=0.9)
    right = logits.argmax(1) == labels
    assert (confidence(logits)[right] >= threshold).mean() == pytest.approx(0.9, abs=0.002)
    assert rejection_threshold(logits[:1], 1 - logits[:1].argmax(1), temperature=1.0, keep=0.9) == 0.0


def test_auroc_by_hand():
    """Of the four pairs 0.9>0.5, 0.9>0.1, 0.5=0.5, 0.5>0.1 three and a half are in order."""
    assert auroc(np.array([0.9, 0.5]), np.array([0.5, 0.1])) == 0.875
    assert auroc(np.array([0.1]), np.array([0.9])) == 0.0
    with pytest.raises(ValueError, match="both kinds"):
        auroc(np.array([]), np.array([0.9]))
