from house.project import project


def test_the_code_is_the_release_that_was_frozen() -> None:
    """Whoever changes what travels freezes a new release."""
    frozen = project.releases[-1].manifest
    assert dict(project.contract.manifest) == {name: frozen[name] for name in project.contract.manifest}
