"""The op of ../exports in Python. It reads files, so it is built with `--wasi`."""

from __future__ import annotations

import os
from collections.abc import Iterator

from dynhost import DynamicOut, DynamicOutput, Failure, Value, mapping_key, op

GRANTED = "/data"


@op(out=DynamicOut(Value, name="export", description="The bytes of the files, in the order of their names."))
def exports() -> Iterator[DynamicOutput[Value]]:
    """Reads the CSV files of the granted folder, told by their extension."""
    try:
        names = sorted(os.listdir(GRANTED), key=os.fsencode)
    except OSError as error:
        raise Failure.permanent(f"`.` cannot be read: {error.strerror}") from None
    for name in names:
        path = f"{GRANTED}/{name}"
        if name.lower().endswith(".csv") and os.path.isfile(path) and not os.path.islink(path):
            with open(path, "rb") as file:
                yield DynamicOutput(Value(file.read(), "text/csv"), mapping_key=mapping_key(name))
