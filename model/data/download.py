"""Download VOC 2007 from torchvision's address: resumable, verified by md5."""

import tarfile
import urllib.error
import urllib.request
from pathlib import Path

from torchvision.datasets.utils import check_integrity, extract_archive
from torchvision.datasets.voc import DATASET_YEAR_DICT
from tqdm import tqdm

from model.errors import UserError

CHUNK = 1 << 18
TIMEOUT_S = 30


def download_voc2007(root: str | Path, test: bool = False, progress: bool = True) -> Path:
    """VOC 2007's folder below ``root``, downloaded and unpacked: train and val, or ``test``.

    An interrupted download is resumed; a complete one is not repeated.

    Raises:
        UserError: if the host does not answer, the file is not what it should be (the text names
            the address, the md5 and the steps to do by hand), or it cannot be unpacked.
    """
    source = DATASET_YEAR_DICT["2007-test" if test else "2007"]
    root = Path(root).expanduser()
    archive = root / source["filename"]
    if not check_integrity(archive, source["md5"]):
        partial = archive.with_suffix(".part")
        try:
            root.mkdir(parents=True, exist_ok=True)
            _fetch(source["url"], partial, progress)
        except OSError as error:  # urllib's errors are OSErrors
            raise UserError(_by_hand(f"the download failed ({error})", source, archive)) from None
        if not check_integrity(partial, source["md5"]):
            partial.unlink()
            raise UserError(_by_hand("what was downloaded has a wrong md5", source, archive))
        partial.replace(archive)
    try:
        extract_archive(archive, root)
    except (OSError, tarfile.TarError) as error:
        raise UserError(
            f"{archive} cannot be unpacked ({error}). Make room if the disk is full, and run the"
            " command again: what was downloaded is kept."
        ) from None
    return root / "VOCdevkit" / "VOC2007"


def _fetch(url: str, partial: Path, progress: bool) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing left to send: the part is already the whole
            return
        raise
    with response:
        resumed = response.status == 206
        total = int(response.headers.get("Content-Length", 0)) + (have if resumed else 0)
        bar = tqdm(
            desc=partial.stem, total=total or None, initial=have if resumed else 0,
            unit="B", unit_scale=True, disable=not progress,
        )  # fmt: skip
        with partial.open("ab" if resumed else "wb") as stream, bar:
            while chunk := response.read(CHUNK):
                stream.write(chunk)
                bar.update(len(chunk))
    if total and partial.stat().st_size < total:
        raise OSError(f"the connection broke at {partial.stat().st_size} of {total} bytes")


def _by_hand(what: str, source: dict, archive: Path) -> str:
    return (
        f"{what}. Run the command again to go on where it stopped, or do it by hand:"
        f" get {source['filename']} (md5 {source['md5']}) from {source['url']} or a mirror,"
        f" save it as {archive}, and run the command again to unpack it."
    )
