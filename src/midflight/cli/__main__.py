"""``python -m midflight.cli`` is ``midflight``."""

from midflight.cli.entry import main

raise SystemExit(main())
