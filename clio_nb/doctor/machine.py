"""This machine: Python and its packages, the console, and what notebooks and forms need."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from ..vocabulary import HUB_PREFIX
from .check import NOT_CHECKED, Check

PART: Final = "This machine"
_LAB: Final = 'python -m pip install "clio-nb[lab]"'
_MANAGER: Final = "@jupyter-widgets/jupyterlab-manager"
_EXTENSIONS: Final = {_MANAGER: "jupyterlab_widgets", "anywidget": "anywidget"}  # in JupyterLab, and who brings them
_MANAGERS: Final = {8: 5}  # ipywidgets and the manager that can show them, by their first numbers
_OTHER_FRONT_ENDS: Final = ("VSCODE_PID", "VSCODE_IPC_HOOK_CLI", HUB_PREFIX, "COLAB_RELEASE_TAG")
"""Set where notebooks are shown by a program that is installed elsewhere."""


def checks() -> Iterator[Check]:
    """Look at this machine."""
    yield _python()
    yield _packages()
    yield _console()
    yield from _jupyter()


def _python() -> Check:
    here = ".".join(platform.python_version_tuple()[:2])
    said = f"{platform.python_implementation()} {platform.python_version()} at {sys.executable}."
    classifiers = metadata("clio-nb").get_all("Classifier", [])
    tested = [
        each.rpartition(" ")[2] for each in classifiers if each.startswith("Programming Language :: Python :: 3.")
    ]
    if here in tested:
        return Check(PART, "Python", True, said)
    return Check(
        PART, "Python", None, f"{said} This release knows {tested[0]} to {tested[-1]}.", "If something fails, use one."
    )


def _packages() -> Check:
    try:
        from packaging.requirements import Requirement  # noqa: PLC0415 -- servers need not have it
    except ImportError:
        return Check(PART, "packages", None, f"{NOT_CHECKED}: the package packaging is not installed.")
    old, missing = [], []
    for each in map(Requirement, requires("clio-nb") or ()):
        if each.marker is not None and not each.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(each.name)
        except PackageNotFoundError:
            missing.append(each)
        else:
            if not each.specifier.contains(found, prereleases=True):
                old.append((each, found))
    if {"pandas", "ipywidgets"} <= {each.name for each in missing}:  # as the list for servers leaves it
        without = f"Installed for a server, without {', '.join(each.name for each in missing)}."
        return Check(PART, "packages", None, without, f"For tables, forms and commands: {_LAB}")
    if not (old or missing):
        return Check(PART, "packages", True, "All that clio-nb needs are here, in versions that it works with.")
    said = [f"{each.name} {found} does not fit: clio-nb needs {each.specifier}." for each, found in old]
    said += [f"{each.name} is missing." for each in missing]
    needed = " ".join(f'"{each.name}{each.specifier}"' for each in [*(each for each, _ in old), *missing])
    return Check(PART, "packages", False, " ".join(said), f"Run: python -m pip install {needed}")


def _console() -> Check:
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        "✓–…’é漢".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        said = f"{encoding}: characters that it does not have are shown as plain ones."
        return Check(PART, "console", None, said, "To see them all, set PYTHONUTF8=1.")
    return Check(PART, "console", True, f"{encoding}: every character can be shown.")


def _jupyter() -> Iterator[Check]:
    here = [name for name in ("ipykernel", "jupyterlab", "notebook", "voila") if find_spec(name) is not None]
    if not here:
        said = "Not installed. Commands and scripts work without it; notebooks and forms do not."
        yield Check(PART, "Jupyter", None, said, f"For notebooks and forms: {_LAB}")
        return
    yield _kernel()
    yield _lab()
    yield _widgets()
    if os.environ.get(HUB_PREFIX) and find_spec("jupyter_server_proxy") is None:
        said = "jupyter-server-proxy is not installed, so no browser reaches a sign-in or an inbox on this hub."
        yield Check(PART, "hub", False, said, "Add jupyter-server-proxy to the hub's image, or paste when you sign in.")


def _kernel() -> Check:
    if find_spec("ipykernel") is None:
        return Check(PART, "kernel", False, "ipykernel is not installed for this Python.", f"Run: {_LAB}")
    gone = [f"{name} ({program})" for name, program in _kernels() if Path(program).is_absolute() and not _runs(program)]
    said = f"ipykernel {version('ipykernel')}, for the Python above."
    if gone:
        fix = "If you use it: jupyter kernelspec remove NAME, then: python -m ipykernel install --user --name NAME"
        return Check(PART, "kernel", None, f"{said} The program of another kernel is gone: {', '.join(gone)}.", fix)
    return Check(PART, "kernel", True, said)


def _runs(program: str) -> bool:
    return os.access(program, os.X_OK)


def _kernels() -> Iterator[tuple[str, str]]:
    """Give name and program of the kernels that Jupyter finds."""
    for name, file in _found("kernels/*/kernel.json").items():
        command = _json(file).get("argv")
        if isinstance(command, list) and command:
            yield Path(name).parent.name, str(command[0])


def _lab() -> Check:
    if find_spec("jupyterlab") is not None:
        return Check(PART, "JupyterLab", True, f"JupyterLab {version('jupyterlab')}.")
    if any(map(os.environ.get, _OTHER_FRONT_ENDS)):
        return Check(PART, "JupyterLab", True, "Not in this environment: another program shows your notebooks.")
    return Check(PART, "JupyterLab", False, "JupyterLab is not installed for this Python.", f"Run: {_LAB}")


def _widgets() -> Check:
    if find_spec("ipywidgets") is None:
        said = "ipywidgets is not installed for this Python: forms cannot be shown."
        return Check(PART, "widgets", False, said, "Run: python -m pip install ipywidgets, then restart the kernel.")
    ours = version("ipywidgets")
    if find_spec("jupyterlab") is None:
        return Check(PART, "widgets", None, f"ipywidgets {ours}. {NOT_CHECKED}: whether what shows notebooks knows it.")
    found, disabled = _found("labextensions/**/package.json", depth=3), _disabled()
    for extension, package in _EXTENSIONS.items():
        file = found.get(f"labextensions/{extension}/package.json")
        if file is None:
            said = f"JupyterLab has no {extension}: forms would be shown as plain text."
            fix = f"Run: python -m pip install --force-reinstall {package}, then start JupyterLab again."
            return Check(PART, "widgets", False, said, fix)
        if extension in disabled:
            said = f"JupyterLab's {extension} is turned off: forms would be shown as plain text."
            return Check(PART, "widgets", False, said, f"Run: jupyter labextension enable {extension}")
    manager = str(_json(found[f"labextensions/{_MANAGER}/package.json"]).get("version", ""))
    fitting = _MANAGERS.get(_first(ours))
    if fitting is not None and _first(manager) != fitting:
        said = f"ipywidgets {ours} and JupyterLab's widget manager {manager} do not fit: forms would not be shown."
        fix = "Run: python -m pip install -U ipywidgets jupyterlab_widgets, then start JupyterLab again."
        return Check(PART, "widgets", False, said, fix)
    return Check(PART, "widgets", True, f"ipywidgets {ours}, and JupyterLab can show them.")


def _first(number: str) -> int:
    start = number.partition(".")[0]
    return int(start) if start.isdecimal() else 0


def _found(pattern: str, *, depth: int = 0) -> dict[str, Path]:
    """Return the data files of Jupyter that have such a name, by that name: the first folder that has one counts."""
    from jupyter_core.paths import jupyter_path  # noqa: PLC0415 -- only where Jupyter is

    files: dict[str, Path] = {}
    for folder in map(Path, jupyter_path()):
        for file in folder.glob(pattern):
            name = file.relative_to(folder)
            if not depth or len(name.parts) <= depth + 1:
                files.setdefault(name.as_posix(), file)
    return files


def _disabled() -> set[str]:
    from jupyter_core.paths import jupyter_config_path  # noqa: PLC0415 -- as above

    said: dict[str, Any] = {}
    for folder in reversed(jupyter_config_path()):  # the first folder counts
        turned = _json(Path(folder, "labconfig", "page_config.json")).get("disabledExtensions") or {}
        said |= turned if isinstance(turned, dict) else dict.fromkeys(turned, True)
    return {name for name, off in said.items() if off}


def _json(file: Path) -> dict[str, Any]:
    """Return what a settings file of Jupyter says; nothing where it is not there, or says nothing that can be read."""
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
