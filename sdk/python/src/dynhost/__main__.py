"""The command `python -m dynhost`."""

import sys

from .build import main

sys.exit(main())
