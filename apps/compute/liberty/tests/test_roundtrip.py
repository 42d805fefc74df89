"""Everything that travels comes through every version that this release meets."""

import midflight.testing
from compute.project import project

test_roundtrip = midflight.testing.roundtrip(project)
