import dataclasses

import numpy as np
import pytest
import torch

from model.evaluation.calibration import (
    cross_validated_scores,
    fit_calibration,
    logistic_regression,
    reliability,
)
from model.network.outputs import Cells, DetectorOutput
from model.score import EVIDENCE, Calibration, evidence


def simulated(n=4000, seed=0):
    """Evidence of which the second column tells right from wrong, with known chances."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(n, len(EVIDENCE), generator=generator)
    chance = (1.5 * values[:, 1] + 0.5).sigmoid()
    return values, torch.rand(n, generator=generator) < chance


def test_regression_finds_the_weights_that_made_the_data():
    values, right = simulated(20_000)
    weights, bias = logistic_regression(values, right)
    assert weights.tolist() == pytest.approx([0, 1.5, 0, 0], abs=0.08)
    assert float(bias) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_nothing_but_right_or_wrong_answers_stay_finite(share):
    values, _ = simulated(50)
    fitted = fit_calibration(values, torch.full((50,), share == 1))
    scores = fitted.score(values)
    assert scores.isfinite().all()
    assert (scores > 0.9).all() if share else (scores < 0.1).all()


def test_a_score_means_what_it_says_on_photos_not_seen():
    fitted = fit_calibration(*simulated())
    values, right = simulated(seed=1)
    judged = reliability(fitted.score(values).numpy(), right.numpy())
    assert judged["ece"] < 0.03
    assert sum(judged["count"]) == len(values)


def test_the_threshold_keeps_the_share_of_right_answers_asked_for():
    values, right = simulated()
    for kept in (0.5, 0.9):
        fitted = fit_calibration(values, right, kept=kept)
        passed = fitted.score(values.double())[right] >= fitted.threshold
        assert float(passed.double().mean()) == pytest.approx(kept, abs=0.01)


def test_negatives_teach_what_to_look_at_but_not_how_sure_to_be():
    values, right = simulated()
    negatives = torch.randn(2000, len(EVIDENCE)) * 0.3
    negatives[:, 3] -= 6  # what tells a photo of nothing from the others
    plain, taught = fit_calibration(values, right), fit_calibration(values, right, negatives)
    refused = [float((c.score(negatives) < c.threshold).float().mean()) for c in (plain, taught)]
    assert refused[1] > 0.95 > refused[0]
    assert float(taught.score(values).mean()) == pytest.approx(
        float(right.float().mean()), abs=0.01
    )


def test_cross_validation_covers_every_photo():
    values, right = simulated(500)
    scores = cross_validated_scores(values, right, values[:0])
    assert scores.shape == (500,)
    assert ((scores > 0) & (scores < 1)).all()
    assert reliability(scores, right.numpy())["ece"] < 0.12


def test_reliability_by_hand():
    scores = np.array([0.05, 0.05, 0.95, 1.0])
    right = np.array([False, True, True, True])
    judged = reliability(scores, right)
    assert judged["count"] == [2, 2]
    assert judged["share_right"] == [0.5, 1.0]
    assert judged["ece"] == pytest.approx((2 * 0.45 + 2 * 0.025) / 4)


def test_plain_values_and_back():
    calibration = Calibration((1.0, 2.0, 3.0, 4.0), -1.0, 0.4)
    assert Calibration.from_dict(dataclasses.asdict(calibration)) == calibration


@pytest.mark.parametrize(
    "change", [{"bias": float("nan")}, {"weights": [1.0]}, {"threshold": "0.4"}]
)
def test_numbers_that_are_none_are_refused(change):
    plain = dataclasses.asdict(Calibration((1.0, 2.0, 3.0, 4.0), -1.0, 0.4))
    with pytest.raises(ValueError, match="finite numbers"):
        Calibration.from_dict(plain | change)


def test_what_an_answer_says_about_itself():
    box, other = [0.0, 0, 40, 40], [60.0, 60, 90, 90]
    logits = torch.tensor([[2.0, 0.0]])
    cells = Cells(
        torch.tensor([[[1.0, -3.0], [5.0, 5.0]]]), torch.tensor([[box, other]]),
        torch.tensor([[0.8, 0.2]]), torch.tensor([[1.0, 0.0]]), torch.zeros(2, 2), ((1, 2),),
    )  # fmt: skip
    values = evidence(DetectorOutput(logits, torch.tensor([box]), cells))
    expected = torch.tensor([0.8808, 0.8, 0.7311, 0.9999])
    torch.testing.assert_close(values[0].sigmoid(), expected, atol=1e-4, rtol=0)
    bare = evidence(DetectorOutput(logits, torch.tensor([box]), None))
    assert bare[0].tolist() == pytest.approx([2.0, 0, 0, 0], abs=1e-5)
