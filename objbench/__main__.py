"""``python -m objbench`` is ``objbench``."""

import sys

from objbench.cli.main import main

sys.exit(main())
