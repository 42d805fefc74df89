"""The releases beside this one survive its code, and its revisions."""

import midflight.testing
from compute.project import project

test_release = midflight.testing.release_check(project)
test_schema = midflight.testing.db_lint(project)
