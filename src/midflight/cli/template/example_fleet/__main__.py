"""Ask the fleet from outside: ``python -m example_fleet add TEXT`` and ``python -m example_fleet list``."""

from __future__ import annotations

import os
import sys

import midflight
from example_fleet.jobs import Job, JobList
from example_fleet.project import project


def main(words: list[str]) -> int:
    """A guest: it is no member of the fleet, and has no database."""
    if words[:1] not in (["add"], ["list"]):
        print(__doc__)
        return 64
    try:
        with midflight.connect(project, os.environ.get("MIDFLIGHT_CONFIG", "midflight.toml")) as fleet:
            if words[0] == "add":
                job = Job(context=fleet.context, text=" ".join(words[1:]))
                fleet.run(job.create())
                print(f"job {job.id} has {job.words} words")
            else:
                for job in fleet.run(JobList.all(fleet.context)).objects:
                    print(f"{job.id}  {job.state}  {job.result or '-'}")
    except midflight.MidflightError as wrong:
        print(f"error: {wrong}", file=sys.stderr)
        return wrong.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
