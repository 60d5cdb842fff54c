"""An environment of its own for a peer that cannot live in ours: clio-manage-api-client wants numpy below 2."""

from __future__ import annotations

import os
import subprocess
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def python_with(*requirements: str) -> Iterator[Path]:
    """Install these from the package index into a temporary environment, and give its Python."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / ("Scripts" if os.name == "nt" else "bin") / "python"
        subprocess.run([python, "-m", "pip", "install", "-q", *requirements], check=True)  # noqa: S603
        yield python
