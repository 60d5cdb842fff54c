"""Follow a Dockerfile step by step without Docker, in an environment and a folder of its own."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path


class Image:
    """A Dockerfile and what it copies from; ``context`` is looked through first to last."""

    def __init__(self, dockerfile: Path, *context: Path) -> None:
        self._lines = dockerfile.read_text().splitlines()
        self._context = context
        self.environment: dict[str, str] = {}

    def steps(self) -> list[tuple[str, str]]:
        """Instruction and argument of each line."""
        return [tuple(line.split(" ", 1)) for line in self._lines if line and not line.startswith("#")]  # type: ignore[misc]

    def of(self, name: str) -> list[str]:
        return [argument for instruction, argument in self.steps() if instruction == name]

    def source(self, name: str) -> Path:
        return next((folder / name for folder in self._context if (folder / name).exists()), self._context[0] / name)

    def build(self, where: Path, **settings: str) -> Path:
        """Do what the steps say; return the folder that stands for the working directory."""
        subprocess.run([sys.executable, "-m", "venv", where / "venv"], check=True)
        path = f"{where / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        self.environment = {"PATH": path, "HOME": str(where), "PIP_NO_COMPILE": "1", **settings}  # little is imported
        folder = where / "src"
        folder.mkdir()
        for instruction, argument in self.steps():
            if instruction == "COPY":
                *sources, target = shlex.split(argument)
                for source in sources:
                    place = (
                        folder / target if len(sources) == 1 and not target.endswith("/") else folder / target / source
                    )
                    place.parent.mkdir(parents=True, exist_ok=True)
                    copy = shutil.copytree if self.source(source).is_dir() else shutil.copy
                    copy(self.source(source), place)
            elif instruction == "RUN":
                self.run("/bin/sh", "-c", argument, cwd=folder)
        return folder

    def run(self, *command: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            ["/usr/bin/env", *command], cwd=cwd, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def installed(self) -> set[str]:
        listed = json.loads(self.run("python", "-m", "pip", "list", "--format=json"))
        return {each["name"].lower().replace("_", "-") for each in listed}
