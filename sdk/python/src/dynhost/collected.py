"""Taking the values of all clones of a map, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from .failure import Failure
from .raw import Element, Pull
from .value import Value

T = TypeVar("T")
# How many elements are asked for at once. The host gives fewer where they are large.
_BATCH = 128


class Collected(Generic[T]):
    """A collected input: an iterator over the values of all clones, in the order in which they were emitted.

    Values are pulled while the op iterates, so there may be more of them than fit into the op's memory.
    """

    def __init__(self, pull: Pull, read: Callable[[Value], T]) -> None:
        self._pull = pull
        self._read = read
        self._batch: Iterator[Element] = iter(())

    @classmethod
    def of(cls, values: Iterable[T]) -> Collected[T]:
        """A collected input for tests whose keys are the positions `0`, `1`, …."""
        return cls.keyed((str(n), value) for n, value in enumerate(values))

    @classmethod
    def keyed(cls, elements: Iterable[tuple[str, T]], failed_keys: Iterable[str] = ()) -> Collected[T]:
        """A collected input for tests with these mapping keys."""
        return cls(Ready([Element(key, value) for key, value in elements], list(failed_keys)), _as_it_is)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        return self._next()[1]

    def __len__(self) -> int:
        """How many elements there are in all, those already taken included."""
        return self._pull.len()

    def with_keys(self) -> Iterator[tuple[str, T]]:
        """The elements with the mapping keys under which they were emitted."""
        while True:
            try:
                yield self._next()
            except StopIteration:
                return

    def failed_keys(self) -> list[str]:
        """The mapping keys of the clones that failed where the job tolerates failures; they have no value here."""
        return self._pull.failed_keys()

    def _next(self) -> tuple[str, T]:
        element = next(self._batch, None)
        if element is None:
            self._batch = iter(self._pull.next(_BATCH))
            element = next(self._batch)
        try:
            return element.mapping_key, self._read(element.value)
        except ValueError as error:
            raise Failure.permanent(f"element `{element.mapping_key}`: {error}") from None


class Ready:
    """Elements that are already there."""

    def __init__(self, elements: list[Element], failed_keys: list[str]) -> None:
        self._elements = elements
        self._failed_keys = failed_keys
        self._taken = 0

    def len(self) -> int:
        return len(self._elements)

    def next(self, max: int) -> list[Element]:
        batch = self._elements[self._taken : self._taken + max]
        self._taken += len(batch)
        return batch

    def failed_keys(self) -> list[str]:
        return self._failed_keys


def _as_it_is(value: Any) -> Any:
    return value
