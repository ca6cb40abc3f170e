"""Making a component out of a module with ops: `python -m dynhost build ops.py`."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PINNED = "componentize-py==0.25.1"
_ENTRY = "from dynhost import guest\n\nguest.prepare(wasi={wasi})\nimport {module}\n\nOp = guest.serve()\n"


def main(arguments: list[str] | None = None) -> int:
    """The command `python -m dynhost`."""
    parser = argparse.ArgumentParser(prog="python -m dynhost")
    commands = parser.add_subparsers(required=True)
    build_command = commands.add_parser("build", help="make a component out of a module with ops")
    build_command.add_argument("module", type=Path, help="the module, or the folder of a package")
    build_command.add_argument("-o", "--output", type=Path, help="default: the module's name with .wasm")
    build_command.add_argument(
        "-p", "--path", type=Path, action="append", default=[],
        help="a folder with modules that the ops import; may be given more than once",
    )
    build_command.add_argument(
        "--wasi", action="store_true",
        help="keep the imports of WASI: clocks, files and randomness as the host gives them",
    )
    given = parser.parse_args(arguments)
    output = given.output or Path(f"{given.module.stem}.wasm")
    try:
        build(given.module, output, path=given.path, wasi=given.wasi)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB")
    return 0


class BuildError(Exception):
    """Why no component was made."""


def build(module: Path, output: Path, *, path: list[Path] | None = None, wasi: bool = False) -> None:
    """Makes a component of the ops that a module declares. Raises `BuildError`."""
    if not module.exists():
        raise BuildError(f"there is no `{module}`")
    if not module.stem.isidentifier():
        raise BuildError(f"`{module.stem}` cannot be imported: name the module with letters, digits and `_`")
    package = Path(__file__).resolve().parent
    with tempfile.TemporaryDirectory() as folder:
        entry = Path(folder) / "dynhost_entry.py"
        entry.write_text(_ENTRY.format(wasi=wasi, module=module.stem))
        command = [*_componentize_py(), "-q", "-d", str(package / "op.wit"), "-w", "component"]
        command += ["componentize", entry.stem, "-o", str(output)]
        command += [] if wasi else ["--stub-wasi"]
        for found in [entry.parent, module.resolve().parent, package.parent, *(path or [])]:
            command += ["-p", str(found)]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildError(f"componentize-py could not make `{output}`:\n{_words(done.stderr or done.stdout)}")


def _words(said: str) -> str:
    # An exception of the ops' module is between two backtraces of the tool itself.
    words = said.partition("\nStack backtrace:")[0]
    return (words.partition("AssertionError: ")[2].partition("\n\nCaused by:")[0] or words).strip()


def _componentize_py() -> list[str]:
    # In the environment of this Python, or anywhere.
    beside = Path(sys.executable).with_name("componentize-py" + (".exe" if os.name == "nt" else ""))
    found = str(beside) if beside.exists() else shutil.which("componentize-py")
    if not found:
        raise BuildError(f"componentize-py is missing: pip install {PINNED}")
    return [found]
