"""Mean and standard deviation of several evaluations of one recipe, as a Markdown table.

python scripts/results_table.py runs/seed0/val.json runs/seed1/val.json runs/seed2/val.json
"""

import json
import statistics
import sys
from pathlib import Path
from typing import Annotated

import tyro

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from model.evaluation.metrics import MEASURES


def cell(key: str, values: list[float]) -> str:
    """``80.1 ± 0.4 %`` for shares, plain numbers for pixels and IoU; ± standard deviation."""
    percent = key not in ("l1_px_224", "mean_iou")
    digits = 3 if key == "mean_iou" else (1 if percent else 2)
    scaled = [100 * v if percent else v for v in values]
    text = f"{statistics.mean(scaled):.{digits}f}"
    if len(values) > 1:
        text += f" ± {statistics.stdev(scaled):.{digits}f}"
    return text + (" %" if percent else "")


def main(reports: Annotated[list[Path], tyro.conf.Positional]) -> None:
    """Print the header and the row."""
    metrics = [json.loads(path.read_text())["metrics"] for path in reports]
    print("| " + " | ".join(MEASURES.values()) + " |")
    print("|" + "---|" * len(MEASURES))
    print("| " + " | ".join(cell(key, [m[key] for m in metrics]) for key in MEASURES) + " |")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
