"""``python -m objbench`` is ``objbench``."""

import sys

from objbench.cli import main

sys.exit(main())
