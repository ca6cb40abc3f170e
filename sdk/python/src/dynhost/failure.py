"""Why a run of an op ended without its outputs."""

from __future__ import annotations

import linecache
import os
from typing import Any, Literal

from .value import Value

Retry = Literal["never", "allowed", "after"]
# Of a long traceback, so many frames at each end.
_MOST_FRAMES = 10
_HERE = os.path.dirname(__file__)


class Failure(Exception):
    """Raise one to end the step. Any other exception is a permanent failure with its traceback as the detail.

    `detail` is for programs: a `Value`, or anything that has a JSON form.
    """

    def __init__(
        self, message: str, *, retry: Retry = "never", delay_ms: int = 0, detail: Any = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retry: Retry = retry
        self.delay_ms = delay_ms
        self.detail = (
            detail if detail is None or isinstance(detail, Value) else Value.of(detail)
        )

    @classmethod
    def permanent(cls, message: str, *, detail: Any = None) -> Failure:
        """The same inputs would fail again: never retried."""
        return cls(message, detail=detail)

    @classmethod
    def transient(cls, message: str, *, detail: Any = None) -> Failure:
        """Another attempt may succeed: retried under the node's retry policy."""
        return cls(message, retry="allowed", detail=detail)

    @classmethod
    def retry_after(cls, message: str, delay_ms: int, *, detail: Any = None) -> Failure:
        """As `transient`, but not before this many milliseconds have passed."""
        return cls(message, retry="after", delay_ms=delay_ms, detail=detail)


class EmitError(Exception):
    """The host did not accept an output. It fails the step, whatever the op does next."""


class Cancelled(EmitError):
    """The run is being cancelled: give up soon."""


def from_exception(error: BaseException) -> Failure:
    """What an exception that left an op becomes."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, EmitError):
        return Failure.permanent(str(error))
    frames = _frames(error)
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    message = f"{words} ({frames[-1]['place']})" if frames else words
    return Failure.permanent(message, detail={"error": words, "traceback": _traceback(error, words)})


def _traceback(error: BaseException, words: str) -> str:
    lines = []
    if error.__cause__ is not None:
        cause = error.__cause__
        lines += [_traceback(cause, f"{type(cause).__name__}: {cause}"), "which led to:"]
    frames = _frames(error)
    for n, frame in enumerate(frames):
        if _MOST_FRAMES <= n < len(frames) - _MOST_FRAMES:
            if n == _MOST_FRAMES:
                lines.append(f"  … {len(frames) - 2 * _MOST_FRAMES} more")
            continue
        lines.append(f"  {frame['place']} in {frame['function']}")
        if frame["source"]:
            lines.append(f"    {frame['source']}")
    return "\n".join([*lines, words])


def _frames(error: BaseException) -> list[dict[str, str]]:
    # The module `traceback` would look for the sources, which a component cannot: it has no files. What
    # `remember_source` read when the component was built is still there.
    frames = []
    at = error.__traceback__
    while at is not None:
        code = at.tb_frame.f_code
        if os.path.dirname(code.co_filename) != _HERE:
            known = code.co_filename in linecache.cache
            source = linecache.getline(code.co_filename, at.tb_lineno).strip() if known else ""
            place = f"{os.path.basename(code.co_filename)}:{at.tb_lineno}"
            frames.append({"place": place, "function": code.co_name, "source": source})
        at = at.tb_next
    return frames


def remember_source(filename: str) -> None:
    """Keeps the lines of a file for tracebacks."""
    linecache.getlines(filename)
