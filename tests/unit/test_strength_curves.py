"""Scores against the strength of each setting."""

import json

import pytest
import torch
from conftest import make_voc

from demo.views import robustness
from model.augment import AugmentConfig
from model.checkpoint import CheckpointInfo
from model.data.dataset import read_split
from model.errors import UserError
from model.evaluation.plots import plot_strength
from model.evaluation.strength_curves import (
    check_alike,
    first_fall_sentence,
    levels_of,
    measure,
    representative_photos,
    table,
)
from model.inference import Detector
from model.loading.dataset import LargestObjectDataset
from model.network.detector import LargestObjectDetector

SETTINGS = {s.name: s for step in AugmentConfig.steps for s in step.settings}


def test_levels_reach_from_weak_to_the_strongest_allowed():
    for setting in SETTINGS.values():
        levels = levels_of(setting)
        assert levels[-1] == setting.high
        assert setting.off not in levels
        assert levels == sorted(set(levels))
        AugmentConfig(**{setting.name: levels[0]})


def test_photos_are_chosen_by_class_and_size_and_always_the_same(tmp_path):
    split = read_split(make_voc(tmp_path / "VOC2007", 30, 3), "train")
    rows = representative_photos(split, 10)
    assert len(rows) == 10
    assert rows.equals(representative_photos(split, 10))
    shares = rows.class_name.value_counts(normalize=True)
    for name, share in split.frame.class_name.value_counts(normalize=True).items():
        assert abs(shares[name] - share) <= 0.1
    assert sorted(representative_photos(split, 500).file_name) == sorted(split.frame.file_name)


@pytest.mark.slow
@pytest.mark.usefixtures("shallow_network")
def test_curves_files_and_page(tmp_path):
    split = read_split(make_voc(tmp_path / "VOC2007", 3, 1), "train")
    dataset = LargestObjectDataset(split, 96, progress=False)
    torch.manual_seed(0)
    networks = {
        name: LargestObjectDetector(split.class_names, size)
        for name, size in (("small", 64), ("large", 96))
    }
    detectors = {name: Detector(one, device="cpu", bf16=False) for name, one in networks.items()}
    detectors["small"].info.config["augment"] = {"rotation_degrees": 12.0}
    report = measure(detectors, dataset, 2, 5, False)
    report |= {"split": "val", "train_splits": {"small": "trainval", "large": "train"}}
    assert [one["setting"] for one in report["settings"]] == list(SETTINGS)
    rotation = next(o for o in report["settings"] if o["setting"] == "rotation_degrees")
    assert rotation["trained_up_to"] == {"small": 12.0, "large": None}
    assert len(rotation["levels"]) == 7
    assert rotation["levels"][0]["n_photos"] == 3
    for one in report["settings"]:
        assert one["levels"][0]["scores"] == rotation["levels"][0]["scores"]
    rows = table(report)
    assert set(rows.checkpoint) == {"small", "large"}
    assert ((rows.joint_low <= rows.joint) & (rows.joint <= rows.joint_high)).all()
    plot_strength(report, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000
    checkpoint = tmp_path / "mine.safetensors"
    assert robustness.beside(checkpoint) == ""
    (tmp_path / "mine.robustness.json").write_text(json.dumps(report))
    html = robustness.beside(checkpoint)
    assert html.count("<figure>") == len(SETTINGS)
    assert "small learned from these photos" in html
    (tmp_path / "mine.robustness.json").write_text('{"settings": [{}]}')
    with pytest.raises(UserError, match="no report"):
        robustness.beside(checkpoint)


def test_the_first_fall_is_said_with_what_was_trained():
    def setting(label, joints, trained, reach=0.01):
        levels = [
            {"value": i, "scores": {"net": {"joint": j, "intervals_95": {"joint": [0, j + reach]}}}}
            for i, j in enumerate(joints)
        ]
        return {"label": label, "trained_up_to": {"net": trained}, "levels": levels}

    slow = setting("Blur", [0.7, 0.7, 0.65, 0.1], 0.0)
    quick = setting("Rotation", [0.7, 0.69, 0.55, 0.5], 4.0)
    assert first_fall_sentence([slow, quick], "net") == (
        "net: class and box are right less often first at rotation 2 (trained up to 4):"
        " from 0.700 to 0.550."
    )
    unsure = setting("Rotation", [0.7, 0.69, 0.55, 0.5], 4.0, reach=0.3)
    assert "blur 3" in first_fall_sentence([slow, unsure], "net")
    assert "stay right everywhere" in first_fall_sentence(
        [setting("Hue", [0.7, 0.68], None)], "net"
    )


def test_detectors_of_other_classes_are_refused():
    infos = [CheckpointInfo(("a", "b"), 64, "pyramid"), CheckpointInfo(("a", "c"), 64, "pyramid")]
    with pytest.raises(UserError, match="other classes"):
        check_alike([("x", infos[0]), ("y", infos[1])])
    with pytest.raises(UserError, match="rename"):
        check_alike([("x", infos[0]), ("x", infos[0])])
