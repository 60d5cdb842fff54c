"""What holds for every test: no deadline on a busy machine, and no options of this run for the runs inside tests."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("long", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("clio_nb", settings.get_profile("long"), max_examples=30)
settings.load_profile("clio_nb")


@pytest.fixture(scope="session", autouse=True)
def no_options_of_this_run() -> Iterator[None]:
    """A fixture and not a line of this module: that would take them from the workers of this run, too."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("PYTEST_ADDOPTS", raising=False)
        yield
