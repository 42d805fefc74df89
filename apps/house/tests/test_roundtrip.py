"""Everything that travels comes through every version that this release meets."""

import midflight.testing
from house.project import project

test_roundtrip = midflight.testing.roundtrip(project, examples=25)  # there is one release, and no backport to try hard
