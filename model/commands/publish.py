"""Publish a checkpoint on the Hugging Face Hub, with a machine-readable model card.

    python -m model.publish YOU/largest-object --dry-run   # show the model card, send nothing
    python -m model.publish YOU/largest-object

Log in once with `hf auth login`.
"""

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from huggingface_hub import EvalResult, HfApi, ModelCard, ModelCardData

from model.checkpoint import DEFAULT_CHECKPOINT, load_checkpoint
from model.commands import run
from model.errors import UserError
from model.hub import refusals_as_user_errors

DATASET = "pascal-voc-2007"
# Metric in a report of `python -m model.evaluate` -> (its type and name on the card).
MEASURES = {
    "class_accuracy": ("accuracy", "class accuracy"),
    "macro_accuracy": ("accuracy", "class accuracy, mean over classes"),
    "l1_px_224": ("mae", "L1 of the box, pixels of a 224 canvas"),
    "mean_iou": ("iou", "mean IoU"),
    "iou_50": ("accuracy", "share with IoU of at least 0.5"),
    "joint": ("accuracy", "class right and IoU of at least 0.5"),
}
USE = """
## Use it

With the code of the largest-object detector:

```python
from huggingface_hub import hf_hub_download
from model import load_detector

detector = load_detector(hf_hub_download("{repository}", "model.safetensors"))
print(detector.predict("photo.jpg"))
```

The network alone: `LargestObjectDetector.from_pretrained("{repository}")`.
"""


@dataclass
class PublishConfig:
    """Publish a checkpoint on the Hugging Face Hub."""

    repository: Annotated[str, tyro.conf.Positional]  # YOU/NAME; created if it does not exist
    checkpoint: Path = DEFAULT_CHECKPOINT
    private: bool = False  # only you can see it
    dry_run: bool = False  # show the model card, send nothing
    debug: bool = False  # tracebacks instead of one-line errors


def results_of(report: dict[str, Any]) -> list[EvalResult]:
    """The metrics in a report of ``python -m model.evaluate`` for the hub's model index."""
    return [
        EvalResult(
            task_type="object-detection", task_name="Largest object: its class and its box",
            dataset_type=DATASET, dataset_name="PASCAL VOC 2007", dataset_split=report["split"],
            metric_type=kind, metric_name=name, metric_value=report["metrics"][key],
        )
        for key, (kind, name) in MEASURES.items()
    ]  # fmt: skip


def read_report(checkpoint: Path) -> dict[str, Any] | None:
    """The report in ``NAME.metrics.json`` next to ``NAME.safetensors``; ``None`` if missing.

    Raises:
        UserError: if the file is no report.
    """
    path = checkpoint.with_suffix(".metrics.json")
    if not path.is_file():
        return None
    try:
        report = json.loads(path.read_text())
        results_of(report)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is no report of `python -m model.evaluate --json` ({error!r}): write it again."
        ) from None
    return report


def model_card(checkpoint: Path, repository: str) -> ModelCard:
    """The model card: metadata, the README of the checkpoint's folder, and how to use the model."""
    report = read_report(checkpoint)
    data = ModelCardData(
        license="apache-2.0", library_name="largest-object-detector",
        pipeline_tag="object-detection", datasets=[DATASET],
        tags=["object-detection", "pascal-voc", "pytorch", "safetensors"],
        model_name=repository.rpartition("/")[2],
        eval_results=results_of(report) if report else None,
    )  # fmt: skip
    text = checkpoint.parent / "README.md"
    body = text.read_text() if text.is_file() else f"# {checkpoint.stem}\n"
    use = USE.replace("{repository}", repository)
    return ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}{use}")


def build_repository(folder: Path, checkpoint: Path, repository: str) -> None:
    """Write the files of the hub's repository: ``config.json``, ``model.safetensors``, the card.

    ``model.safetensors`` is the checkpoint itself, with its description.

    Raises:
        UserError: if the checkpoint cannot be read.
    """
    model, _ = load_checkpoint(checkpoint)
    model.save_pretrained(folder)
    shutil.copyfile(checkpoint, folder / "model.safetensors")
    model_card(checkpoint, repository).save(folder / "README.md")


def push_to_hub(config: PublishConfig, api: HfApi) -> str:
    """Create the repository if missing, upload everything in one commit; return its address.

    Raises:
        UserError: if the checkpoint cannot be read, or the hub refuses.
    """
    with refusals_as_user_errors(config.repository), tempfile.TemporaryDirectory() as folder:
        build_repository(Path(folder), config.checkpoint, config.repository)
        private = config.private or None
        address = api.create_repo(config.repository, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=config.repository, folder_path=folder, commit_message="Publish the weights"
        )
    return str(address)


def main(config: PublishConfig) -> None:
    """Print the card, or upload it with the weights."""
    if config.dry_run:
        print(model_card(config.checkpoint, config.repository))
    else:
        print(f"sent: {push_to_hub(config, HfApi())}")


if __name__ == "__main__":
    run(main, PublishConfig, __doc__)
