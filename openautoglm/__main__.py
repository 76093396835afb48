"""``python -m openautoglm list | info | recognize | release``: what models there are, what one holds, what one sees."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from openautoglm.cli.errors import guard

_MODEL = "openautoglm-small"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 2 for a mistake in the command, 130 after Ctrl-C."""
    given = _parser().parse_args(argv)
    return guard(lambda: _run(given))


def _run(given: argparse.Namespace) -> int:
    if given.command == "recognize":
        from openautoglm.cli.recognize import Recognition, recognize

        return recognize(
            Recognition(
                source=given.source,
                model=given.model,
                runtime=given.runtime,
                num_threads=given.threads,
                min_score=given.min_score,
                search=not given.no_search,
                json=given.json,
                boxes=given.show_boxes,
            )
        )
    if given.command == "release":
        from openautoglm.cli.models import release_run

        return release_run(given.run, given.name, given.sources, given.weights)
    from openautoglm.cli.models import print_info, print_models

    return print_models() if given.command == "list" else print_info(given.model)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m openautoglm", description=(__doc__ or "").partition(": ")[2])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the released models")
    info = commands.add_parser("info", help="what the manifest of a model says")
    info.add_argument("model", metavar="NAME_OR_FOLDER", help="released name, artifact's folder or run's folder")
    release = commands.add_parser("release", help="for maintainers: a finished run becomes a model of the package")
    release.add_argument("run", metavar="RUN", help="folder of the run")
    release.add_argument("name", metavar="NAME", help="such as openautoglm-small")
    release.add_argument("--sources", metavar="SOURCE", nargs="+", required=True, help="all that it was trained on")
    release.add_argument(
        "--weights", metavar="NAME_OR_FOLDER", help="the float net that was quantised, where the run trained none"
    )
    recognize = commands.add_parser("recognize", help="the hands in pictures, a video or before a camera")
    recognize.add_argument("source", metavar="SOURCE", help="a picture, a folder of pictures, a video, or camera:0")
    recognize.add_argument("--model", metavar="NAME_OR_FOLDER", default=_MODEL, help=f"as for info (default: {_MODEL})")
    recognize.add_argument("--runtime", choices=("executorch", "litert", "onnx"), default="executorch")
    recognize.add_argument("--threads", metavar="N", type=int, default=1, help="of the runtime (default: 1)")
    recognize.add_argument(
        "--min-score", metavar="S", type=float, help="of a hand that is told (default: as the model says; 0 tells all)"
    )
    recognize.add_argument(
        "--no-search", action="store_true", help="do not glance at parts of a frame in which no hand is sure: faster"
    )
    recognize.add_argument("--json", metavar="FILE", type=Path, help="the hands of every frame, and its time in ms")
    recognize.add_argument("--show-boxes", metavar="FOLDER", type=Path, help="the frames with their hands drawn in")
    return parser


if __name__ == "__main__":
    sys.exit(main())
