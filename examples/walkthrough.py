"""From annotations to a detector of one's own, cell by cell (``# %%``: Jupyter, VS Code, Spyder).

python examples/walkthrough.py DATA OUT    # as a script; both have defaults
"""

# %% What is needed: photos with annotations (see README.md, "Train it"), and where results go.
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))  # not needed where the repository is the working directory

from model import AugmentConfig, LargestObjectDataset, Pipeline, load_detector, read_split  # noqa: E402

DATA = sys.argv[1] if len(sys.argv) > 1 else "data"
OUT = sys.argv[2] if len(sys.argv) > 2 else "outputs/walkthrough"
SETTINGS = sys.argv[3:]  # for train.py, for example --epochs 3
out = Path(OUT)
out.mkdir(parents=True, exist_ok=True)

# %% The annotations: one row a photo, with the class and the box of its largest object.
split = read_split(DATA, "train")
split.frame.to_csv(out / "annotations.csv", index=False)
print(split.frame[["file_name", "class_name", "xmin", "ymin", "xmax", "ymax"]].head())

# %% A photo as the network sees it, and what happened on the way.
dataset = LargestObjectDataset(split, 288, progress=False)
photo, boxes, _ = dataset.photo(0)
trace = Pipeline(AugmentConfig(rotation_degrees=10), 288).trace(photo, boxes, seed=1)
for step in trace.steps:
    print(f"{step.name:10} {step.params} box {step.bbox_xyxy.round().tolist()}")

# %% Training: from the shipped weights, with settings that suit the number of photos.
train = [sys.executable, REPOSITORY / "train.py", "--data", DATA, "--out", out / "run"]
subprocess.run([*map(str, train), "--start-from", "shipped", *SETTINGS], check=True)

# %% Prediction: a notebook shows the photo with its box; a script prints one line.
detector = load_detector(out / "run" / "best.safetensors")
detection = detector.predict(dataset.files[0])
print(detection)
detection.draw(dataset.files[0]).save(out / "prediction.png")
detection  # noqa: B018 - the last line of a cell is what a notebook shows
