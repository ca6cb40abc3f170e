"""Write ops for dynhost as Python functions.

    from dynhost import DynamicOut, DynamicOutput, op

    @op(out=DynamicOut(str))
    def split(text: str):
        \"\"\"Splits a text into lines, one dynamic output for each.\"\"\"
        for n, line in enumerate(text.splitlines()):
            yield DynamicOutput(line, mapping_key=f"line_{n}")
"""

from .collected import Collected
from .failure import Cancelled, EmitError, Failure
from .key import check_mapping_key, mapping_key
from .op import op
from .outputs import DynamicOut, DynamicOutput, Out, Output
from .step import Context, context, log, progress
from .value import Value

__all__ = [
    "Cancelled",
    "Collected",
    "Context",
    "DynamicOut",
    "DynamicOutput",
    "EmitError",
    "Failure",
    "Out",
    "Output",
    "Value",
    "check_mapping_key",
    "context",
    "log",
    "mapping_key",
    "op",
    "progress",
]
