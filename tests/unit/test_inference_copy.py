"""model/network/inference_copy.py: the copy predicts what the network does."""

import copy

import pytest
import torch

from model.inference import Detector
from model.network.detector import HEADS, LargestObjectDetector
from model.network.inference_copy import inference_copy
from model.precision import autocast


def as_if_trained(head: str) -> LargestObjectDetector:
    """Random weights and, unlike in a new network, batch norm that changes something."""
    torch.manual_seed(0)
    model = LargestObjectDetector(image_size=64, head=head)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (module.weight.data, module.running_var):
                tensor.uniform_(0.5, 1.5)
            for tensor in (module.bias.data, module.running_mean):
                tensor.normal_(std=0.1)
    return model.eval()


@torch.inference_mode()
def outputs(model: LargestObjectDetector, bf16: bool) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with autocast("cpu", bf16):
        output = model(images)
    return output.logits, output.boxes


@pytest.mark.parametrize("head", HEADS)
def test_it_predicts_the_same(head):
    """Folding batch norm rounds otherwise than applying it."""
    model = as_if_trained(head)
    for values, same in zip(
        outputs(inference_copy(model, False), False), outputs(model, False), strict=True
    ):
        torch.testing.assert_close(values, same, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("head", HEADS)
def test_in_bf16_it_rounds_and_does_nothing_else(head):
    """Which kernel sums in which order is the processor's choice, so no bits need agree."""
    model = as_if_trained(head)
    found = outputs(inference_copy(model, True), True)
    for values, exact in zip(found, outputs(model, False), strict=True):
        assert (values - exact).norm() <= 0.1 * exact.norm()


def test_it_is_what_makes_a_pass_shorter():
    model = as_if_trained("pyramid")
    assert inference_copy(model, bf16=True).backbone.conv1.weight.dtype == torch.bfloat16
    folded = inference_copy(model, bf16=False).backbone
    assert not [m for m in folded.modules() if isinstance(m, torch.nn.BatchNorm2d)]


@pytest.mark.parametrize("bf16", [True, False])
def test_the_network_itself_stays_as_it_is(bf16):
    """It may be trained further, or saved."""
    model = as_if_trained("pyramid").train()
    before = copy.deepcopy(model.state_dict())
    Detector(model, device="cpu", bf16=bf16)
    assert model.training
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())
