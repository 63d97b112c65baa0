"""``python -m citysim`` is the command ``citysim``."""

import sys

from citysim.cli.main import main

sys.exit(main())
