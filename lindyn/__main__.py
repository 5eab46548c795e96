"""`python -m lindyn` is `lindyn`."""

import sys

from lindyn.cli import main

sys.exit(main())
