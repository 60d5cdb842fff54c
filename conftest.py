"""Which tests are begun first, what the garbage collector leaves out, and how the notebooks' kernels are reached."""

import atexit
import gc
import itertools
import shutil
import socket
import tempfile
from typing import Any

import nbval.kernel
import pytest
from jupyter_client import KernelManager

LONGEST = (
    *("tests/browser", "tests/docs", "tests/docker", "tests/vault/test_fork", "tests/sandbox/test_fuzz", "notebooks"),
    *("tests/forms/test_kernels", "tests/web/test_workers", "tests/ledger", "tests/cli", "tests/launches/test_probe"),
)
"""Files and folders that take long, begun first: at the end, one worker would wait for another one's."""


def pytest_configure(config: pytest.Config) -> None:
    """Keep pytest-xdist from beginning with the files that have the most tests."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what takes long."""
    items.sort(key=lambda item: next((at for at, path in enumerate(LONGEST) if item.nodeid.startswith(path)), 99))


def pytest_collection_finish() -> None:
    """Leave what stays until the end out of every search for garbage: half a million objects."""
    gc.collect()
    gc.freeze()


FOLDER = tempfile.mkdtemp()
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
numbers = itertools.count()


def over_files(**options: Any) -> KernelManager:
    """Return the manager of a kernel that is reached through files: a TCP port that was free may be taken."""
    return KernelManager(transport="ipc", ip=f"{FOLDER}/{next(numbers)}", **options)


if hasattr(socket, "AF_UNIX"):
    nbval.kernel.KernelManager = over_files
