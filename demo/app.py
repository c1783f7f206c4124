"""Open the demo in the browser.

    python demo/app.py                      # http://127.0.0.1:7860, shipped checkpoint
    python -m demo.app --data data          # with a data set to browse, VOC 2007 or your own
    python demo/app.py --checkpoint NAME    # another one of checkpoints/, or a file

Works offline. Hugging Face Spaces starts this file too.
"""

import gc
import os
import socket
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

# `python demo/app.py` puts demo/ on the path and not the folder above it.
_HERE, _ROOT = Path(__file__).resolve().parent, Path(__file__).resolve().parent.parent
sys.path[:] = [str(_ROOT), *(p for p in sys.path if Path(p or ".").resolve() not in (_HERE, _ROOT))]

from demo.server.lifecycle import at_the_end, prepare, run  # noqa: E402

# Before Gradio is imported: it reads these only once.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
# After every call Gradio tabulates the last 10,000 (10 ms), for a page that is closed here.
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000000")
if __name__ == "__main__":
    prepare()
    from model.data.decoding.pool import POOL

    POOL.own.prepare(1)  # a decoding worker starts during the other imports

import tyro  # noqa: E402
from gradio.tunneling import CURRENT_TUNNELS  # noqa: E402

from demo.backend import Backend, first_checkpoint  # noqa: E402
from demo.guarded import GuardedBlocks  # noqa: E402
from demo.page import build_page  # noqa: E402
from demo.server.security import GuardedApp, Visitors, checked_origin  # noqa: E402
from demo.serving.background import BackgroundWork  # noqa: E402
from demo.serving.cores import leave_cores_to_passes  # noqa: E402
from demo.theme import CSS, HEAD, page_theme  # noqa: E402
from model.data.dataset import no_garbage_collection  # noqa: E402
from model.data.formats import FormatName  # noqa: E402
from model.data.samples import PhotoLibrary, find_dataset  # noqa: E402
from model.errors import UserError, run_cli  # noqa: E402
from model.evaluation.per_photo import read_per_photo  # noqa: E402
from model.inspect.compose_input import load_pipeline  # noqa: E402

MAX_UPLOAD = "40mb"
# Gradio keeps about 200 KiB for each session; the oldest are dropped first.
MAX_SESSIONS = 100
# Running calls; most wait for a core or a photo. demo.server.queue says who may have how many.
MAX_THREADS = 96
PRIVATE_NETWORKS = "127.0.0.1,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"


@dataclass
class AppConfig:
    """Open the demo in the browser."""

    checkpoint: str = ""  # name in checkpoints/, or a .safetensors file; default: the shipped one
    # a data set in VOC's, YOLO's, COCO's or LabelMe's format, or with a CSV; again for another;
    # default: that in $VOC_ROOT, data/ or VOCdevkit/
    data: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    format: FormatName = "auto"  # of the annotations; auto: found by what lies in the folder
    per_photo: Path | None = None  # CSV of `python -m model.evaluate --per-photo`: opens its photos
    pipeline: str = ""  # my_file.py:transforms, of torchvision.transforms.v2; the file is run
    host: str = "127.0.0.1"
    port: int = 7860
    share: bool = False  # a public address for 72 hours, through Gradio's servers
    allow_origin: tuple[str, ...] = ()  # other sites that may call or show the page, https://...
    debug: bool = False  # tracebacks instead of one-line errors


def make_backend(config: AppConfig) -> Backend:
    """The backend for these options, with its checkpoint loaded.

    Raises:
        UserError: if the checkpoint, the data or the CSV given are not there or cannot be used.
    """
    library = PhotoLibrary(find_dataset(config.data, config.format))
    path = Path(config.checkpoint)
    is_file = path.suffix == ".safetensors"
    name = path.stem if is_file else config.checkpoint or first_checkpoint()
    photos = read_per_photo(config.per_photo) if config.per_photo else None
    backend = Backend(library, name, extra=path if is_file else None, per_photo=photos)
    backend.detector()  # a broken checkpoint is reported now, before the page is built
    return backend


def check_address(host: str, port: int) -> None:
    """Try to listen on the address now, as the server does after some seconds of loading.

    Raises:
        UserError: if that is not possible.
    """
    if not 1 <= port <= 65535:
        raise UserError(f"--port {port} is no port: choose a number from 1 to 65535.")
    try:
        addresses = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        family, kind, *_, address = addresses[0]
        with socket.socket(family, kind) as probe:
            if sys.platform != "win32":  # where it lets two programs listen on one port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (socket.gaierror, UnicodeError, ValueError):
        raise UserError(
            f"--host {host[:80]!r} is no address: use 127.0.0.1 for this machine alone, 0.0.0.0 for"
            " everybody who can reach it."
        ) from None
    except OSError as error:
        raise UserError(
            f"cannot listen on {host}:{port} ({error.strerror}). Is another demo running there?"
            " Stop it, or choose another --port; --host must be an address of this machine."
        ) from None


def main(config: AppConfig) -> None:
    """Build the page and serve it until Ctrl-C or SIGTERM."""
    check_address(config.host, config.port)
    for origin in config.allow_origin:
        checked_origin(origin)
    leave_cores_to_passes()
    own_pipeline = load_pipeline(config.pipeline) if config.pipeline else None
    with no_garbage_collection():
        backend = make_backend(config)
        page = build_page(backend, own_pipeline)
        gc.freeze()  # none of these objects is ever garbage
    at_the_end.callback(lambda: [tunnel.kill() for tunnel in CURRENT_TUNNELS])
    try:
        launch(page, config, backend.reading)
    except OSError as error:  # another program has taken the port meanwhile
        raise UserError(f"cannot listen on {config.host}:{config.port} ({error}).") from None


def launch(
    page: GuardedBlocks, config: AppConfig, reading: BackgroundWork | None, block: bool = True
) -> str:
    """Serve the page, then start to read the data set; the address is printed and returned."""
    origins = tuple(map(checked_origin, config.allow_origin))
    public = config.share or bool(os.environ.get("SPACE_ID"))
    _, address, _ = page.launch(
        _app=GuardedApp(Visitors(config.host, origins, public), page.first_view),
        server_name=config.host, server_port=config.port, share=config.share,
        theme=page_theme(), css_paths=CSS, head=HEAD, prevent_thread_lock=True,
        ssr_mode=False, run_history=False, max_file_size=MAX_UPLOAD, quiet=False,
        enable_monitoring=False, state_session_capacity=MAX_SESSIONS, max_threads=MAX_THREADS,
        footer_links=["api", "settings"],
        # Gradio would request its own page first, and give up if that takes three seconds.
        _frontend=False,
    )  # fmt: skip
    if reading:
        reading.start()  # so that a visitor who opens "Data set" seldom waits
    if block:
        page.block_thread()
    return address


if __name__ == "__main__":
    if os.environ.get("SPACE_ID"):  # the proxy of Spaces lies in a private network
        os.environ.setdefault("FORWARDED_ALLOW_IPS", PRIVATE_NETWORKS)
    on_spaces: dict[str, Any] = {"host": "0.0.0.0"} if os.environ.get("SPACE_ID") else {}
    parse = partial(
        tyro.cli, AppConfig, prog="demo/app.py", description=__doc__, default=AppConfig(**on_spaces)
    )
    run(lambda: run_cli(lambda: main(parse()), debug="--debug" in sys.argv))
