"""``python -m tests.golden --write`` keeps the bytes of each version that has none yet; it never changes a file."""

import sys

from tests.golden import COMMAND, FOLDER
from tests.golden.samples import current


def main() -> int:
    """The exit code: 0, or 64 for anything else on the command line."""
    if sys.argv[1:] != ["--write"]:
        sys.stderr.write(f"{COMMAND}\n")
        return 64
    FOLDER.mkdir(exist_ok=True)
    for golden in current():
        if golden.write(FOLDER):
            sys.stdout.write(f"{golden.file}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
