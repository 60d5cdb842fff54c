"""Every chore by its name: ``nox -l`` lists them, ``nox -s NAME`` runs one, ``.ci/run`` runs those that CI wants.

The chores use the environment that they are called from; those of other Pythons and packages, ``wheel`` and ``server``
make their own.
"""

import os
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["tests", "checks"]

_OLDEST = ["tests/cli", "tests/firm", "tests/http", "tests/launches", "tests/plan", "tests/vault"]  # need no front end


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests, or those that you name: ``nox -s tests -- tests/vault -k two_processes``."""
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def long(session: nox.Session) -> None:
    """Run the tests that take long, whole: kills, models, fuzzing and every failure of every verb."""
    asked = {"CLIO_NB_REQUIRE": os.environ.get("CLIO_NB_REQUIRE", "binder")}
    marks = ("-m", "long or hypothesis", "--hypothesis-profile=long")
    session.run("python", "-m", "pytest", *marks, *session.posargs, env=asked)


@nox.session(venv_backend="venv", python=["3.12", "3.13", "3.14"])
def pythons(session: nox.Session) -> None:
    """Run the tests in each other Python that is installed here; one that is not is skipped, and said."""
    session.install("-q", "-e", ".[test,lab]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(venv_backend="venv")
def lowest(session: nox.Session) -> None:
    """Run the tests, or those that you name, with the oldest versions of packages that are allowed (pandas 2.3)."""
    oldest = f"{session.create_tmp()}/oldest.txt"
    session.install("-q", "uv")
    session.run("uv", "pip", "compile", "-q", "--resolution", "lowest-direct", "pyproject.toml", "-o", oldest)
    session.install(
        "-q", "-c", oldest, "-e", ".", "pytest", "hypothesis", "nbval", "openpyxl", "pyarrow", "psycopg[binary]"
    )
    session.run("python", "-m", "pytest", "-W", "default", *(session.posargs or _OLDEST))


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the tests and say which lines they never reach: a third slower, so it is no part of every run."""
    session.run("python", "-m", "pip", "install", "-q", "pytest-cov")
    measured = ("--cov=clio_nb", "--cov-branch", "--cov-report=term:skip-covered", "--cov-fail-under=95")
    session.run("python", "-m", "pytest", "-n", "2", "--dist", "loadfile", *measured, *session.posargs)


@nox.session
def checks(session: nox.Session) -> None:
    """Check style, types and the floors that imports keep to."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def benches(session: nox.Session) -> None:
    """Run the benches with little work: the counts must be right; for times run ``python -m bench``."""
    session.run("python", "-m", "bench", "--smoke", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into ``site/``; ``nox -s docs -- serve`` shows it while you write."""
    session.run("python", "-m", "mkdocs", *(session.posargs or ["build", "--strict"]))


@nox.session
def notebooks(session: nox.Session) -> None:
    """Run the walkthroughs anew and store their outputs."""
    session.run("python", "notebooks/regenerate.py", *session.posargs)


@nox.session
def wheel(session: nox.Session) -> None:
    """Build and check the wheel; run the demo, and the page "Your first launch", on it in an environment of its own."""
    with tempfile.TemporaryDirectory() as folder:
        built = _built(session, Path(folder))
        session.run("twine", "check", "--strict", *map(str, Path(folder).glob("dist/*")))
        python = _environment(session, Path(folder))
        session.run(python, "-m", "pip", "install", "-q", built)
        with session.chdir(folder):
            session.run(str(Path(python).with_name("clio-nb")), "demo")
        page = "tests/docs/test_blocks.py::test_a_page_does_what_it_says[docs/how-to/first-launch.md]"
        session.run("python", "-m", "pytest", "-q", page, env={"CLIO_NB_READER_PYTHON": python})


@nox.session
def server(session: nox.Session) -> None:
    """Run each whole app of the docs where nothing is installed but what is listed for servers, and its framework."""
    test = ("tests/examples/test_journeys.py", "-m", "", "-k", "not any_two_steps")
    session.run("python", "-m", "pytest", "-q", *test, env={"CLIO_NB_REQUIRE": "server,browser"})


@nox.session
def release(session: nox.Session) -> None:
    """Do all that must be green before a version is tagged, and leave the files to upload in ``dist/``."""
    session.notify("coverage")
    session.notify("long")
    session.notify("checks")
    session.notify("wheel")
    session.notify("server")
    session.run("python", "-m", "build")


def _built(session: nox.Session, folder: Path) -> str:
    session.run("python", "-m", "build", "--outdir", str(folder / "dist"), silent=True)
    return str(next(folder.glob("dist/*.whl")))


def _environment(session: nox.Session, folder: Path) -> str:
    """Make an empty environment and return its Python."""
    session.run("python", "-m", "venv", str(folder / "venv"))
    python = folder / "venv" / "bin" / "python"
    session.run(str(python), "-m", "pip", "install", "-q", "-U", "pip")
    return str(python)
