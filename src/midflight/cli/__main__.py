"""``python -m midflight.cli`` is ``midflight``."""

from midflight.cli.app import main

raise SystemExit(main())
