"""Where a call stands in the run, and talking to people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .raw import host


@dataclass(frozen=True)
class Context:
    """Where a call stands in the run."""

    run_id: str
    """The run that this step belongs to."""
    step_key: str
    """The step, such as `size[readme_md]`."""
    mapping_keys: list[str]
    """The mapping keys of this clone, outermost first; empty outside a map."""
    attempt: int
    """1 for the first attempt."""


def context() -> Context:
    """Where this call stands."""
    h = host()
    return Context(h.run_id(), h.step_key(), h.mapping_keys(), h.attempt())


def progress(done: int, total: int | None = None) -> None:
    """Says how far the step is. The unit is the op's own."""
    host().progress(done, total)


class log:
    """Writes to the step's log: `log.info("reading", file=name)`."""

    @staticmethod
    def trace(message: object, /, **fields: Any) -> None:
        """What the op is doing, step by step."""
        _log("trace", message, fields)

    @staticmethod
    def debug(message: object, /, **fields: Any) -> None:
        """What helps to find a mistake."""
        _log("debug", message, fields)

    @staticmethod
    def info(message: object, /, **fields: Any) -> None:
        """What is good to know. `print` writes here too."""
        _log("info", message, fields)

    @staticmethod
    def warn(message: object, /, **fields: Any) -> None:
        """What may be wrong."""
        _log("warn", message, fields)

    @staticmethod
    def error(message: object, /, **fields: Any) -> None:
        """What is wrong."""
        _log("error", message, fields)


def _log(level: str, message: object, fields: dict[str, Any]) -> None:
    host().log(level, str(message), [(name, str(value)) for name, value in fields.items()])
