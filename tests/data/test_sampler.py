import numpy as np
import pytest

from openautoglm.data import BalancedSampler
from openautoglm.data.draws import uniform

LABELS = np.repeat(np.arange(3), (900, 90, 10)).astype(np.int64)


def test_same_epoch_same_order():
    sampler = BalancedSampler()
    one = sampler.plan(LABELS, 32, seed=1, epoch=3)
    assert (one.index == sampler.plan(LABELS, 32, seed=1, epoch=3).index).all()
    assert (one.index != sampler.plan(LABELS, 32, seed=1, epoch=4).index).any()
    assert (one.index != sampler.plan(LABELS, 32, seed=2, epoch=3).index).any()


def test_power_zero_is_a_permutation():
    plan = BalancedSampler(power=0.0, drop_last=False).plan(LABELS, 32, seed=0, epoch=0)
    assert sorted(plan.index) == list(range(1000))
    assert plan.batch_sizes == (32,) * 31 + (8,)
    assert not plan.draw.any()


@pytest.mark.parametrize(
    ("power", "expected"),
    # shares n ** (1 - power): 30, 9.49, 3.16 of 42.65; and thirds
    [(0.5, (703, 223, 74)), (1.0, (334, 333, 333))],
)
def test_classes_are_balanced_by_power(power: float, expected: tuple[int, ...]):
    plan = BalancedSampler(power=power, drop_last=False).plan(LABELS, 50, seed=0, epoch=0)
    assert tuple(np.bincount(LABELS[plan.index])) == expected
    # a rare picture comes again only when all of its class were shown
    rare = plan.index[LABELS[plan.index] == 2]
    assert np.ptp(np.bincount(rare - 990, minlength=10)) <= 1


def test_draw_counts_how_often_a_row_was_shown():
    plan = BalancedSampler(power=1.0).plan(LABELS, 32, seed=0, epoch=0)
    shown: dict[int, int] = {}
    for index, draw in zip(plan.index.tolist(), plan.draw.tolist(), strict=True):
        assert draw == shown.get(index, 0)
        shown[index] = draw + 1
    assert max(shown.values()) > 30


def test_number_of_batches():
    sampler = BalancedSampler(num_samples=100)
    plan = sampler.plan(LABELS, 32, seed=0, epoch=0)
    assert plan.batch_sizes == (32, 32, 32)
    assert len(plan.index) == 96
    assert sampler.num_batches(1000, 32) == 3
    tiny = BalancedSampler().plan(LABELS[-5:], 32, seed=0, epoch=0)
    assert tiny.batch_sizes == (5,)


def test_every_batch_has_its_share_of_unlabelled_pictures():
    sampler = BalancedSampler(unlabelled_fraction=0.25)
    plan = sampler.plan(LABELS, 32, seed=0, epoch=0, num_unlabelled=70)
    assert plan.batch_sizes == (32,) * 41  # 1000 labelled pictures at 24 a batch
    assert sampler.num_batches(1000, 32, num_unlabelled=70) == 41
    for step in range(41):
        batch = plan.index[step * 32 : step * 32 + 32]
        assert (batch >= 1000).sum() == 8
    extra = plan.index[plan.index >= 1000] - 1000
    assert np.ptp(np.bincount(extra, minlength=70)) <= 1
    assert sampler.plan(LABELS, 32, seed=0, epoch=0).index.max() < 1000


@pytest.mark.parametrize("bad", [{"power": 2.0}, {"unlabelled_fraction": 1.0}, {"num_samples": 0}])
def test_wrong_settings(bad: dict[str, float]):
    with pytest.raises(ValueError, match=next(iter(bad))):
        BalancedSampler(**bad)


def test_uniform_numbers_depend_on_their_own_key_only():
    rows = np.arange(5000)
    table = uniform(7, 2, rows, np.zeros(5000, np.int64), num=6)
    assert (uniform(7, 2, rows[40:43], np.zeros(3, np.int64), num=6) == table[40:43]).all()
    assert table.min() >= 0
    assert table.max() < 1
    assert abs(table.mean(0) - 0.5).max() < 0.02
    assert abs(np.corrcoef(table.T) - np.eye(6)).max() < 0.06
    assert (uniform(7, 3, rows, np.zeros(5000, np.int64), num=6) != table).all()
    assert (uniform(7, 2, rows, np.ones(5000, np.int64), num=6) != table).all()
