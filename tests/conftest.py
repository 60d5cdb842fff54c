"""What holds for every test: no deadline on a busy machine, and no options of this run for the runs inside tests."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("clio_nb", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("clio_nb")

os.environ.pop("PYTEST_ADDOPTS", None)
