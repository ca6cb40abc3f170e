"""Daily temperatures out of what weather stations export: CSV of many kinds, with whatever got into it."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Optional

from dynhost import Failure, Out, Value, op

NAME = re.compile(r"#\s*(?:station|messstelle)\s*:\s*(.*\S)", re.IGNORECASE)
DAY_COLUMN = re.compile(r"(?:date|datum|day|tag)\b", re.IGNORECASE)
DEGREES_COLUMN = re.compile(r".*temp.*[^a-z]([cf])\W*", re.IGNORECASE)
DAYS = [
    re.compile(r"(?P<year>(?:19|20)[0-9]{2})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"),
    re.compile(r"(?P<day>[0-9]{2})\.(?P<month>[0-9]{2})\.(?P<year>(?:19|20)[0-9]{2})"),
    re.compile(r"(?P<month>[0-9]{2})/(?P<day>[0-9]{2})/(?P<year>(?:19|20)[0-9]{2})"),
]
DEGREES = re.compile(r"([-\u2212]?)([0-9]{1,3})(?:[.,]([0-9]{1,2}))?")
MISSING = {"", "-", "n/a", "-9999"}
COLDEST, HOTTEST = -9000, 6000


@dataclass
class Series:
    station: str
    start: Annotated[str, "The first day, as 2025-01-31."]
    days: Annotated[list[Optional[int]], "Hundredths of a degree Celsius, day by day; null where there is none."]


@dataclass
class Rejected:
    line: int
    text: str
    why: str


@dataclass
class Columns:
    delimiter: str
    day: int
    degrees: int
    fahrenheit: bool


class Unreadable(Exception):
    """Why a line is rejected."""


@op(
    out={
        "series": Out(Series, description="What was measured."),
        "rejected": Out(list[Rejected], description="The lines that say nothing that can be used."),
    }
)
def parse(export: Annotated[Value, "One file, as it is."]):
    """Reads what a station exported, whatever its delimiters, dates, units and encoding are."""
    station, columns = None, None
    found: dict[date, Optional[int]] = {}
    rejected: list[Rejected] = []
    for number, line in enumerate(re.split(r"\r?\n", decoded(export.data)), start=1):
        if not line.strip(" \t"):
            continue
        if line.startswith("#"):
            named = NAME.fullmatch(line.rstrip(" \t"))
            station = station or (named and named[1])
        elif columns is None:
            columns = header(line)
        else:
            try:
                day, degrees = reading(line, columns)
                if found.setdefault(day, degrees) != degrees:
                    raise Unreadable("another value for this day came before")
            except Unreadable as why:
                rejected.append(Rejected(number, line, str(why)))
    if columns is None or not found:
        raise Failure.permanent("there are no readings in it")
    if station is None:
        raise Failure.permanent("no line `# Station: NAME` says what station it is")
    start = min(found)
    span = (max(found) - start).days + 1
    days = [found.get(start + timedelta(n)) for n in range(span)]
    return {"series": Series(station, start.isoformat(), days), "rejected": rejected}


def decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def header(line: str) -> Columns:
    delimiter = next((d for d in ";\t," if d in line), ",")
    day = degrees = unit = None
    for n, title in enumerate(fields(line, delimiter)):
        matched = DEGREES_COLUMN.fullmatch(title)
        if day is None and DAY_COLUMN.match(title):
            day = n
        elif degrees is None and matched:
            degrees, unit = n, matched[1].lower()
    if day is None or degrees is None:
        raise Failure.permanent("the header has no column for the day, or none for the temperature and its unit")
    return Columns(delimiter, day, degrees, unit == "f")


def fields(line: str, delimiter: str) -> list[str]:
    return [field.strip(" \t") for field in next(csv.reader([line], delimiter=delimiter))]


def reading(line: str, columns: Columns) -> tuple[date, Optional[int]]:
    cells = fields(line, columns.delimiter)
    if len(cells) <= max(columns.day, columns.degrees):
        raise Unreadable("there are too few columns")
    day = day_of(cells[columns.day])
    text = cells[columns.degrees]
    if text.lower() in MISSING:
        return day, None
    matched = DEGREES.fullmatch(text)
    if not matched:
        raise Unreadable("the temperature is no number")
    sign, whole, part = matched.groups()
    degrees = int(whole) * 100 + int((part or "").ljust(2, "0"))
    degrees = -degrees if sign else degrees
    if columns.fahrenheit:
        # To the nearest hundredth, without a detour through binary fractions.
        degrees = ((degrees - 3200) * 10 + 9) // 18
    if not COLDEST <= degrees <= HOTTEST:
        raise Unreadable("no place on Earth has this temperature")
    return day, degrees


def day_of(text: str) -> date:
    matched = next(filter(None, (form.fullmatch(text) for form in DAYS)), None)
    if not matched:
        raise Unreadable("the day is no date")
    try:
        return date(int(matched["year"]), int(matched["month"]), int(matched["day"]))
    except ValueError:
        raise Unreadable("there is no such day") from None
