"""Use an installed midflight as a stranger would.

Argument: the source tree, from which nothing may be imported. That the documents are true of it too is for
``tests/pages.py``, which runs them.
"""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import midflight

sources = Path(sys.argv[1])
installed = Path(midflight.__file__).parent
files = importlib.metadata.files("midflight") or []

assert sources / "src" not in installed.parents, f"imported from the sources: {installed}"
assert (installed / "py.typed").is_file(), "the wheel lacks py.typed"
template = Path("midflight/cli/template")  # what `midflight init` writes has tests of its own
ours = [file for file in files if template not in Path(file).parents]
strangers = [file for file in ours if {"tests", "apps", "docs", "node_modules"} & set(file.parts)]
assert not strangers, f"the wheel carries what is not the package: {strangers}"
assert [file for file in files if "licenses" in file.parts and file.name == "LICENSE"], "the wheel lacks its licence"
missing = [name for name in midflight.__all__ if not hasattr(midflight, name)]
assert not missing, f"midflight.__all__ promises {missing}"

usage = subprocess.run(["midflight", "--help"], capture_output=True, text=True, check=True).stdout
assert "upgrade" in usage, f"midflight --help says: {usage}"

wrong = subprocess.run(["midflight", "fleet", "list", "--config", "absent.toml"], capture_output=True, text=True)
assert wrong.returncode == 64, f"a missing configuration exits {wrong.returncode}: {wrong.stderr}"
assert "Traceback" not in wrong.stderr, wrong.stderr

print(f"midflight {importlib.metadata.version('midflight')} works as installed in {installed}")
