"""The people, the sandbox and the servers of the tests of launches, for a partner's server that receives them."""

import pytest

from ..launches.conftest import (  # noqa: F401 -- fixtures
    KEY,
    Person,
    _as_a_new_process,
    anna,
    ben,
    browser,
    canary,
    clock,
    new_browser,
    sent,
    serve,
    site,
)


@pytest.fixture(autouse=True)
def _no_keyring(no_keyring):
    """The key of a vault comes from the environment, here and in children."""
