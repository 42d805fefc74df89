"""`make links`: ask for every page elsewhere that the documents lead to. It needs the internet, so CI does not."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\((https?://[^)\s]+)\)|<(https?://[^>\s]+)>")
SECONDS = 20.0
AT_ONCE = 8


def links_of(pages: Iterable[Path]) -> dict[str, list[Path]]:
    """Each address elsewhere, without its anchor, and the pages that lead there."""
    found: dict[str, list[Path]] = {}
    for page in pages:
        for link in LINK.finditer(page.read_text()):
            found.setdefault((link[1] or link[2]).partition("#")[0], []).append(page)
    return found


def wrong(address: str) -> str:
    """What is wrong with an address; nothing where it gives a page."""
    request = urllib.request.Request(address, headers={"User-Agent": "midflight-links"})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS):
            return ""
    except (OSError, http.client.HTTPException, ValueError) as why:  # no answer, none of HTTP's, no address
        return str(why) or type(why).__name__


def main() -> int:
    """Look at every Markdown file of the repository."""
    listed = subprocess.run(["git", "ls-files", "-z", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    found = links_of(ROOT / name for name in listed.stdout.split("\0") if name)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = dict(zip(found, pool.map(wrong, found), strict=True))
    for address, why in answers.items():
        if why:
            print(f"{address}: {why}\n  in {', '.join(str(page.relative_to(ROOT)) for page in found[address])}")
    print(f"{len(answers) - sum(map(bool, answers.values()))} of {len(answers)} addresses give a page")
    return int(any(answers.values()))


if __name__ == "__main__":
    sys.exit(main())
