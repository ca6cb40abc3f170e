"""Bytes with a media type: what passes between ops, before it is read as anything."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

JSON = "application/json"
BYTES = "application/octet-stream"


@dataclass(frozen=True)
class Value:
    """Bytes and what they are. An op that takes or gives a `Value` is given any media type, as it is."""

    data: bytes
    media_type: str = BYTES

    @classmethod
    def of(cls, value: Any) -> Value:
        """The JSON text of a value."""
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return cls(text.encode(), JSON)

    @property
    def is_json(self) -> bool:
        """Whether the media type says that the bytes are JSON."""
        essence = self.media_type.partition(";")[0].strip().lower()
        return essence == JSON or essence.endswith("+json")

    def json(self) -> Any:
        """The bytes read as JSON. Raises `ValueError` when they are not."""
        if not self.is_json:
            raise ValueError(f"it is `{self.media_type}`, JSON was expected")
        try:
            return json.loads(self.data.decode(), parse_constant=_refuse)
        except ValueError as error:
            raise ValueError(f"it is not JSON: {error}") from None


def _refuse(word: str) -> Any:
    raise ValueError(f"`{word}` is no number")
