"""A report of ``model.robustness`` on two checkpoints."""

import json

from model.checkpoint import DEFAULT_CHECKPOINT

SHIPPED = DEFAULT_CHECKPOINT.with_suffix(".robustness.json")


def overlaid() -> dict:
    """The shipped report with a second checkpoint, trained on other photos, right half as often."""
    report = json.loads(SHIPPED.read_text())
    (name,) = report["train_splits"]
    report["train_splits"]["other"] = "train"
    for setting in report["settings"]:
        setting["trained_up_to"]["other"] = 0
        for level in setting["levels"]:
            scores = level["scores"][name]
            half = {key: value / 2 for key, value in scores.items() if key != "intervals_95"}
            bounds = {k: [b / 2 for b in both] for k, both in scores["intervals_95"].items()}
            level["scores"]["other"] = half | {"intervals_95": bounds}
    return report
