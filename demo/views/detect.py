"""What the Detect tab shows of one photo or of many, and the files to download."""

import io
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from markupsafe import Markup

from demo.address import TabState, in_address, number, one_of
from demo.backend import Backend, user_message
from demo.choice import MAX_PHOTOS, Photo
from demo.inspection import Inspection, predict_many
from demo.server.downloads import as_download
from demo.server.first_page import TITLE
from demo.serving.calls import StopPressedError, this_call
from demo.serving.gpu import PHOTOS_PER_CALL
from demo.views import markup
from demo.views.turning import turning_photo
from demo.web_files import render
from model.augment.geometry import overlap
from model.classes import shown_name
from model.csv_cells import csv_text
from model.errors import UserError
from model.inference import CSV_HEADER, Detection, csv_row
from model.inspect.explanation import TARGETS
from model.words import Verdict, a_or_an, counted, percent, unknown_class_note

NO_HEAT = "off"
MANY_SIDE = 480  # pixels of a picture among many
EMPTY_MANY = "You get a picture of each photo, and one CSV."


@dataclass(frozen=True)
class DetectState(TabState):
    """What the Detect tab shows."""

    tab: ClassVar[str] = "detect"
    checkpoint: str = ""
    threshold: float = in_address(0.5, number(0, 1))
    explain: str = in_address(NO_HEAT, one_of((NO_HEAT, *TARGETS)))


@dataclass(frozen=True)
class DetectedPhoto:
    """A photo as the tab shows it: verdict, predicted box, and the picture with all boxes."""

    verdict: Verdict
    predicted: markup.DrawnBox
    picture: Markup


def detect_photo(inspection: Inspection, state: DetectState) -> DetectedPhoto:
    """Run the detector, and draw its box and the true one."""
    photo, detection = inspection.photo, inspection.detection
    verdict = detection.verdict(state.threshold)
    predicted = _predicted(detection, verdict)
    truth = [markup.DrawnBox(photo.largest.bbox_xyxy, "truth")] if photo.largest else []
    where = ", ".join(f"{v:.0f}" for v in detection.bbox_xyxy)
    around = a_or_an(shown_name(detection.class_name))
    picture = markup.figure(
        inspection.shown.image, detection.image_size, [*truth, predicted],
        f"Photo with a box around {around}: left, top, right, bottom {where} pixels.",
        _heat(inspection, state.explain), _legend(photo, verdict, state),
    )  # fmt: skip
    return DetectedPhoto(verdict, predicted, picture)


def show(backend: Backend, state: DetectState, before: Inspection | None = None) -> Markup:
    """The result for one photo; for an inspection made ``before``, without the times it took."""
    inspection = before or backend.inspect(state.photo, state.checkpoint)
    photo, detection = inspection.photo, inspection.detection
    started = time.perf_counter()
    detected = detect_photo(inspection, state)
    facts = _facts(photo, detection)
    if not before:
        drawn_ms, spent = 1000 * (time.perf_counter() - started), inspection.timed
        words = f"decode {spent.decode_ms:.0f} ms, network {spent.network_ms:.0f} ms"
        facts.append(("your request took", f"{words}, draw {drawn_ms:.0f} ms"))
    top, truth = list(detection.probabilities.items())[:5], photo.largest
    unknown = unknown_class_note(truth.class_name, detection.probabilities) if truth else ""
    score, calibrated = detection.score, inspection.detector.info.calibration is not None
    return render(
        "detect_result.html", picture=detected.picture, note=photo.note,
        turning=turning_photo(detected.predicted, detection.image_size),
        verdict=verdict_sentence(detected.verdict), kind=detected.verdict.kind,
        meter=markup.bar(score, "Confidence", percent(score, 0), mark=state.threshold),
        meaning=confidence_meaning(score, state.threshold, calibrated, not unknown),
        bars=[markup.bar(p, shown_name(name), class_name=name) for name, p in top],
        facts=markup.table(facts), explained=markup.IOU_EXPLAINED if truth else "",
        unknown=unknown,
    )  # fmt: skip


def first_view(inspection: Inspection, state: DetectState) -> Markup:
    """What a browser shows before the page is built: the title, and the photo with its box."""
    picture = detect_photo(inspection, state).picture
    return render("first_view.html", title=TITLE, picture=picture)


def verdict_sentence(verdict: Verdict) -> str:
    """The verdict as a whole sentence."""
    if verdict.kind != "sure":
        return f"{verdict.text}."
    return f"The largest object is {a_or_an(verdict.text)}."


def _predicted(detection: Detection, verdict: Verdict) -> markup.DrawnBox:
    sure = verdict.kind == "sure"
    role, name = ("prediction", detection.class_name) if sure else ("guess", "")
    return markup.DrawnBox(detection.bbox_xyxy, role, name, verdict.brief)


def confidence_meaning(score: float, threshold: float, calibrated: bool, known: bool = True) -> str:
    """What the score means; ``known``: the true class may be one of the checkpoint's."""
    line = f"The line is the threshold, {percent(threshold, 0)}: below it the detector is not sure."
    if not calibrated:
        return f"The network's probability for this class; it is not calibrated. {line}"
    if not known:
        return f"It only means something if the detector knows the largest object. {line}"
    right = f"{100 * score:.0f}"
    return (
        f"Of 100 answers with this confidence about {right} have the right class, and a box that"
        f" fits (IoU of at least 0.5). {line}"
    )


def _heat(inspection: Inspection, target: str) -> np.ndarray | None:
    """The heat map of a target, in 0..1; ``None`` if there is none."""
    if target == "box" and (attention := inspection.detection.attention) is not None:
        return attention / max(float(attention.max()), 1e-9)
    return inspection.heat_maps.get(target) if target in TARGETS else None


def _legend(photo: Photo, verdict: Verdict, state: DetectState) -> str:
    sure = verdict.kind == "sure"
    parts = ["Solid: the detector's box." if sure else "Dotted: a box it is not sure of."]
    if photo.largest:
        parts.append("Dashed white: the true box.")
    if state.explain == "class":
        parts.append("Warm: what speaks for this class.")
    elif state.explain == "box":
        parts.append("Warm: where the detector read its box from.")
    return " ".join(parts)


def _facts(photo: Photo, detection: Detection) -> list[tuple[str, str]]:
    corners = ", ".join(f"{v:.1f}" for v in detection.bbox_xyxy)
    width, height = detection.image_size
    numbers = Markup('<span class="box-numbers">{}</span> px').format(corners)
    rows: list[tuple[str, str]] = [
        ("box: left, top, right, bottom", numbers),
        ("photo", f"{width} x {height} px"),
    ]
    if photo.sample:
        rows.append(("example", photo.sample))
    if photo.sample and not photo.largest:
        rows.append(("true class", "none of them"))
    if photo.largest:
        truth = photo.largest
        rows.append(("true class", markup.chip(truth.class_name)))
        iou = overlap(np.array(detection.bbox_xyxy), np.array(truth.bbox_xyxy))
        rows.append(("overlap with the true box", f"IoU {iou:.2f}"))
    return rows


def png_download(inspection: Inspection) -> str:
    """The photo with the predicted box as PNG, its longer side at most 1280 px."""
    buffer = io.BytesIO()
    inspection.detection.draw(inspection.shown.image).save(buffer, "PNG", compress_level=4)
    return as_download(f"{inspection.photo.path.stem}_detected.png", buffer.getvalue())


def json_download(inspection: Inspection) -> str:
    """The whole detection as JSON."""
    text = json.dumps(
        {"file": inspection.photo.path.name, **inspection.detection.to_dict()}, indent=2
    )
    return as_download(f"{inspection.photo.path.stem}_detected.json", text + "\n")


def csv_download(inspection: Inspection) -> str:
    """The CSV that ``python -m model.predict --csv`` writes for the photo."""
    text = csv_text([CSV_HEADER, csv_row(inspection.photo.path.name, inspection.detection)])
    return as_download(f"{inspection.photo.path.stem}_detected.csv", text)


@dataclass
class ManyAnswers:
    """The results of many photos so far.

    Attributes:
        asked: number of photos.
        read: how many of them were decoded.
        found: files with their detections.
        problems: files that cannot be used, each with a sentence why.
        stopped: the visitor pressed Stop.
    """

    asked: int
    read: int = 0
    found: list[tuple[Path, Detection]] = field(default_factory=list)
    problems: list[tuple[Path, str]] = field(default_factory=list)
    stopped: bool = False


def detect_files(backend: Backend, files: Sequence[Path], checkpoint: str) -> Iterator[ManyAnswers]:
    """Detect many photos; yields the same object after each photo and each forward pass.

    When the visitor presses Stop, the photos decoded by then still get their detections.

    Raises:
        UserError: if there are no files, or too many.
    """
    if not files:
        raise UserError("choose some photos first.")
    if len(files) > MAX_PHOTOS:
        raise UserError(f"{len(files)} photos are too many at once: choose at most {MAX_PHOTOS}.")
    answers, checkpoint_file = ManyAnswers(len(files)), backend.checkpoint_file(checkpoint)
    for start in range(0, len(files), PHOTOS_PER_CALL):
        paths, photos = [], []
        for file in files[start : start + PHOTOS_PER_CALL]:
            inspection = Inspection(Photo(file), checkpoint_file)
            try:
                photos.append(inspection.network_copy)
                paths.append(file)
            except UserError as error:
                answers.problems.append((file, user_message(error)))
            except StopPressedError:
                break
            answers.read += 1
            yield answers
        call = this_call()
        if call.stopped:  # photos that were decoded are still detected
            answers.stopped, call.stopped = True, False
        if photos:
            found = predict_many(checkpoint_file, photos)
            answers.found += zip(paths, found, strict=True)
        yield answers
        if answers.stopped:
            return


def show_many(
    backend: Backend, files: list[str], checkpoint: str, threshold: float
) -> Iterator[tuple[ManyAnswers, Markup, str]]:
    """Yields after each photo: results, thumbnails with boxes (HTML), CSV (empty without rows).

    The key of a tile is the index of its file in ``files``.

    Raises:
        UserError: if there are none, or too many.
    """
    tiles: list[Markup] = []
    for answers in detect_files(backend, [Path(file) for file in files], checkpoint):
        for path, detection in answers.found[len(tiles) :]:
            tiles.append(_many_tile(files, path, detection, threshold))
        rows = [csv_row(path.name, detection) for path, detection in answers.found]
        text = csv_text([CSV_HEADER, *rows]) if rows else ""
        yield answers, _many_shown(answers, tiles, threshold), text


def _many_shown(answers: ManyAnswers, tiles: list[Markup], threshold: float) -> Markup:
    found, n_problems = answers.found, len(answers.problems)
    unsure = sum(detection.score < threshold for _, detection in found)
    summary = f"{len(found)} of {counted(answers.asked, 'photo')} answered"
    if answers.stopped:
        summary = f"Stopped: {summary}"
    elif len(found) + n_problems < answers.asked:
        summary += " so far"
    if unsure:
        summary += f"; not sure of {unsure}, below the threshold of {percent(threshold, 0)}"
    line = Markup("<p>{}. Press one for details.</p>").format(summary)
    problems = (left_out(*problem) for problem in answers.problems)
    return markup.join([line, *problems, markup.grid(tiles, "many")])


def left_out(file: Path, sentence: str) -> Markup:
    """Why a photo is left out; the browser does not send it again with the next ones."""
    return Markup('<div data-left-out="{}">{}</div>').format(file, markup.problem(sentence))


def _many_tile(files: list[str], path: Path, detection: Detection, threshold: float) -> Markup:
    small = Photo(path).load(MANY_SIDE).image
    verdict = detection.verdict(threshold)
    sure, words = verdict.kind == "sure", verdict.text
    box = replace(_predicted(detection, verdict), label="")
    inner = markup.figure(small, detection.image_size, [box], f"{path.name}: {words}")
    if sure:
        words = markup.chip(detection.class_name, f"{words} {percent(detection.score, 0)}")
    caption = markup.join([words, " ", markup.file_name(path.name)])
    key = str(files.index(str(path)))
    return markup.figure_tile(key, inner, caption, False, "" if sure else "unsure")
