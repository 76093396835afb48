import pytest
import torch

from openautoglm.models import create_model
from openautoglm.train.head import HasFeatures, fit_head


def test_separates_what_is_separable():
    torch.manual_seed(0)
    labels = torch.arange(3).repeat_interleave(20)
    centres = 5 * torch.eye(3, 8)
    features = 100 + 30 * (centres[labels] + 0.3 * torch.randn(60, 8))  # neither centred nor scaled
    weight, bias = fit_head(features, labels, num_classes=3)
    assert weight.shape == (3, 8)
    assert bias.shape == (3,)
    assert (features @ weight.T + bias).argmax(1).equal(labels)


def test_one_feature_by_hand():
    """Pictures at -1 and 1, d = w1 - w0 = 2 w1: the loss is log(1 + e^-d) + 0.05 d², least where 1 - s(d) = 0.1 d."""
    weight, bias = fit_head(
        torch.tensor([[-1.0], [1.0]]), torch.tensor([0, 1]), num_classes=2, penalty=0.1, max_steps=200
    )
    difference = weight[1, 0] - weight[0, 0]
    assert float(1 - torch.sigmoid(difference)) == pytest.approx(0.1 * float(difference), abs=1e-4)
    assert bias.abs().max() < 1e-4


def test_penalty_shrinks():
    features, labels = torch.randn(20, 4), torch.arange(20) % 2
    loose, tight = (fit_head(features, labels, num_classes=2, penalty=p)[0].norm() for p in (0.001, 1.0))
    assert tight < loose / 5


def test_a_feature_that_never_changes_does_no_harm():
    features = torch.cat([torch.ones(10, 1), torch.randn(10, 2)], dim=1)
    weight, bias = fit_head(features, torch.arange(10) % 2, num_classes=2)
    assert torch.isfinite(weight).all()
    assert torch.isfinite(bias).all()


def test_classifier_sees_the_features():
    net = create_model("openautoglm-test", num_classes=3).eval()
    assert isinstance(net, HasFeatures)
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(net.classifier(net.features(image)), net(image), atol=1e-6)
