"""The folder a Space gets, and sending it; tests/http/test_space.py starts it."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import REPOSITORY, make_voc, run_command
from hub_stand_in import Hub, running_hub
from huggingface_hub import HfApi
from PIL import Image

from demo.backend import first_checkpoint
from demo.deploy import DeployConfig, build_space, deploy, space_readme, space_requirements
from model.checkpoint import DEFAULT_CHECKPOINT
from model.data.samples import PhotoLibrary
from model.errors import UserError

SPACE = "someone/detector"


@pytest.fixture
def hub(monkeypatch) -> Iterator[Hub]:
    # Plain HTTP instead of the hub's own transfer, which the stand-in does not speak.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    with running_hub() as hub:
        yield hub


def send(hub: Hub, **settings) -> None:
    deploy(DeployConfig(SPACE, **settings), HfApi(hub.endpoint, token="hf_" + "x" * 34))


def names(folder: Path, files: list[Path]) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in files}


def test_the_folder_holds_what_a_space_needs_and_nothing_else(tmp_path):
    found = names(tmp_path, build_space(tmp_path, "zero-a10g"))
    assert {
        "README.md",
        "requirements.txt",
        "LICENSE",
        "demo/app.py",
        "model/commands/predict.py",
    } <= found
    assert {"examples/cat.jpg", "checkpoints/largest-object-resnet34.safetensors"} <= found
    top = {name.split("/")[0] for name in found}
    assert top == {"README.md", "requirements.txt", "LICENSE", "demo", "model", "checkpoints",
                   "examples"}  # fmt: skip
    assert not [name for name in found if re.search(r"__pycache__|\.pyc|/\.|deploy\.py", name)]


def test_the_readme_of_a_space_is_front_matter_title_and_introduction():
    readme = space_readme((REPOSITORY / "README.md").read_text())
    assert readme.startswith("---\ntitle: ")
    assert "\napp_file: demo/app.py\n" in readme
    assert "# Largest-object detector" in readme
    assert "](" not in readme  # no links or pictures to files that are not sent
    with pytest.raises(UserError, match="front matter"):
        space_readme("# No front matter\n\nText.\n\n")


def test_zerogpu_gets_no_newer_torch_than_it_runs():
    text = (REPOSITORY / "requirements.txt").read_text()
    zero, paid = (space_requirements(text, m).splitlines() for m in ("zero-a10g", "t4-small"))
    assert "torch>=2.8,<=2.13.0" in zero
    assert "torchvision>=0.23,<=0.28.0" in zero
    assert "torch>=2.8,<3" in paid
    for lines in (zero, paid):  # what Spaces brings itself is not asked for a second time
        assert not [line for line in lines if line.startswith(("gradio", "huggingface"))]
        assert len(lines) > 8


@pytest.mark.slow
def test_a_dry_run_sizes_every_file_and_needs_no_network(tmp_path):
    environment = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": ""}
    result = run_command("-m", "demo.deploy", SPACE, "--dry-run", **environment)
    assert result.returncode == 0, result.stderr
    *rows, total, last = result.stdout.splitlines()
    listed = {name: int(size.replace(",", "")) for size, name in (row.split() for row in rows)}
    built = build_space(tmp_path, "zero-a10g")
    assert listed == {p.relative_to(tmp_path).as_posix(): p.stat().st_size for p in built}
    assert total.split()[0].replace(",", "") == str(sum(listed.values()))
    assert "nothing was sent" in last
    assert "zero-a10g" in last


def test_a_space_is_made_and_gets_the_folder(hub, tmp_path, capsys):
    send(hub, private=True)
    assert f"{hub.endpoint}/spaces/{SPACE}" in capsys.readouterr().out
    (made,) = hub.created
    assert (made["organization"], made["name"]) == ("someone", "detector")
    assert (made["type"], made["sdk"], made["hardware"]) == ("space", "gradio", "zero-a10g")
    assert made.get("visibility") == "private" or made.get("private") is True
    files = build_space(tmp_path, "zero-a10g")
    assert hub.files == {p.relative_to(tmp_path).as_posix(): p.read_bytes() for p in files}
    # A second time: old files of ours go, somebody's own stay, the hardware asked for is set.
    hub.files |= {"demo/old.py": b"", "notes.md": b"mine"}
    send(hub, hardware="t4-small")
    assert len(hub.created) == 1
    assert "demo/old.py" not in hub.files
    assert hub.files["notes.md"] == b"mine"
    assert hub.hardware == ["t4-small"]


@pytest.mark.parametrize(
    ("status", "words"), [(402, "--flavor zerogpu"), (403, "hf auth login"), (400, "Try again")]
)
def test_a_refusal_says_what_to_do(hub, status, words):
    hub.refusal = (status, "the hub's own words")
    with pytest.raises(UserError, match=words) as refused:
        send(hub, flavor="cpu")
    assert "the hub's own words" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert hub.files == {}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"space": "detector"}, "YOU/NAME"),
        ({"space": "some one/detector"}, "no name the hub allows"),
        ({"space": SPACE, "hardware": "big"}, "zero-a10g"),
        ({"space": SPACE}, "cannot be reached"),
    ],
)
def test_what_cannot_be_deployed_is_refused_in_words(settings, words):
    with pytest.raises(UserError, match=words):
        deploy(DeployConfig(**settings), HfApi("http://127.0.0.1:9", token="hf_" + "x" * 34))


def test_a_checkpoint_and_examples_of_ones_own_are_sent_instead(tmp_path):
    mine = tmp_path / "raccoons.safetensors"
    shutil.copyfile(DEFAULT_CHECKPOINT, mine)
    data = make_voc(tmp_path / "mine", 6, 3, classes=("raccoon", "red panda"))
    folder = tmp_path / "space"
    found = names(folder, build_space(folder, "zero-a10g", mine, data))
    assert {name for name in found if name.startswith("checkpoints/")} == {
        "checkpoints/raccoons.safetensors"
    }
    assert first_checkpoint(folder / "checkpoints") == "raccoons"
    library = PhotoLibrary(None, folder / "examples")
    assert {photo.largest.class_name for photo in library.examples()} == {"raccoon", "red panda"}
    original = PhotoLibrary(data)
    for photo in library.examples():
        assert photo.objects == original.get(photo.name).objects
    assert "examples/cat.jpg" not in found


def test_examples_may_be_plain_photos_and_must_be_some(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(UserError, match="holds no photos"):
        build_space(tmp_path / "a", "zero-a10g", examples=tmp_path / "photos")
    Image.new("RGB", (30, 20)).save(tmp_path / "photos" / "one.png")
    build_space(tmp_path / "b", "zero-a10g", examples=tmp_path / "photos")
    assert [p.name for p in PhotoLibrary(None, tmp_path / "b" / "examples").examples()] == ["one"]


def test_a_checkpoint_that_is_none_is_refused_before_anything_is_sent(tmp_path):
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"nothing")
    with pytest.raises(UserError, match="bad"):
        build_space(tmp_path / "space", "zero-a10g", bad)
