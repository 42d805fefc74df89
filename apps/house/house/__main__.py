"""``python -m house``."""

import sys

from house.cli.app import main

sys.exit(main())
