"""The ops of the README, and others that try in a component what it says about steps."""

import logging
import time

import ops  # noqa: F401
from dynhost import op


@op
def talk(n: int) -> float:
    """Writes to the log in each way that Python has, and gives the time."""
    print("printed", n)
    logging.getLogger("guest").warning("logged")
    try:
        divide.function(0)
    except ZeroDivisionError:
        logging.exception("caught")
    return time.time()


@op
def divide(n: int) -> float:
    return 1 / n


@op
def import_late(n: int) -> str:
    from decimal import Decimal

    return str(Decimal(n))
