"""The script that tries data sets: what it reads off a check, and what it says of a failure."""

import sys

from conftest import REPOSITORY, make_voc, write_voc_xml

sys.path.insert(0, str(REPOSITORY / "scripts"))
import try_datasets


def test_a_row_says_what_was_found_and_which_step_failed(tmp_path, monkeypatch):
    root = make_voc(tmp_path / "own", 8, 4, ["cat"])
    write_voc_xml(root, "000001", (90, 120), [])
    (root / "JPEGImages/000003.jpg").unlink()
    steps = []

    def outcome(words, timeout):
        steps.append([str(word) for word in words])
        step = try_datasets.STEPS[len(steps) - 1]
        return run(words, timeout) if step == "check" else ("", f"of {step}")

    run = try_datasets._outcome
    monkeypatch.setattr(try_datasets, "_outcome", outcome)
    row = try_datasets.try_set(root, tmp_path / "run", try_datasets.TryConfig())
    assert row == [
        "own", "voc", "train 7, trainval 11, val 4", "1", "1 x photo missing",
        "ok", "of csv", "of train", "of evaluate", "of predict",
    ]  # fmt: skip
    assert sum(word.endswith(".jpg") for word in steps[-1]) == 4


def test_a_command_that_fails_shows_its_sentence_and_status(tmp_path):
    words = ["-m", "model.dataset", "check", "--data", tmp_path / "nix"]
    said, outcome = try_datasets._outcome(words, 60)
    assert said == ""
    assert outcome.startswith("1: ")
    assert "nix" in outcome
    assert try_datasets._outcome(["-c", "import time; time.sleep(60)"], 0.2)[1].startswith("longer")


def test_sets_are_made_by_a_script_given_by_its_path(tmp_path, monkeypatch, capsys):
    script = tmp_path / "make.py"
    script.write_text(
        "import pathlib, sys\n"
        "for name in 'ba': (pathlib.Path(sys.argv[2]) / (sys.argv[1] + name)).mkdir(parents=True)\n"
    )
    tried = []

    def try_set(folder, *_):
        tried.append(folder.name)
        return [
            folder.name,
            "a|b",
            *["x"] * 3,
            *["ok"] * 4,
            "no" if folder.name == "mine" else "ok",
        ]

    monkeypatch.setattr(try_datasets, "try_set", try_set)
    config = try_datasets.TryConfig((tmp_path / "mine",), odd=script, voc="kit")
    assert try_datasets.main(config) == 1
    assert tried == ["kita", "kitb", "mine"]
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 5
    assert {line.count("|") for line in table} == {len(try_datasets.HEAD) + 1}
