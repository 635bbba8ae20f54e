import pathlib
import tomllib

from rumcli.benchmark import package_versions

PROJECT = pathlib.Path(__file__).parent.parent.parent / "pyproject.toml"
FOR_DEVELOPERS = {"dev", "docs", "test"}


def test_every_extra_is_listed_with_a_package():
    declared = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    told = {extra["extra"]: extra["package"] for extra in package_versions.extras()}
    assert set(told) == set(declared) - FOR_DEVELOPERS
    for extra, package in told.items():
        assert any(requirement.startswith(package) for requirement in declared[extra])
