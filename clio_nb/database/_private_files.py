"""Files that only their owner can read: made so, tightened if they were wider, refused if they are links."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import platformdirs

from ..errors import VaultError
from ..secret import Secret

_NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def own_file(name: str, *, settings: bool = False) -> Path:
    """Return the path of a file in this user's data folder, or in the settings folder, apart from the data."""
    try:
        folder = platformdirs.user_config_path("clio-nb") if settings else platformdirs.user_data_path("clio-nb")
    except RuntimeError:  # no home, as of some users in containers; older versions give a path that begins with ~
        folder = Path("~")
    if not folder.is_absolute():
        raise VaultError(f"This user has no home folder for {name}. Set HOME, or say where the file is.")
    return folder / name


def can_be_made(path: Path) -> bool:
    """Whether a file is not there yet. Raises :class:`VaultError` where it is not, and its folder takes no file."""
    path = path.absolute()
    _private_folder(path)
    if os.path.lexists(path):
        return False
    if not os.access(path.parent, os.W_OK):
        raise VaultError(f"{path} cannot be made: its folder cannot be written to. Fix this, or choose another path.")
    return True


def private_file(path: Path) -> Path:
    """Make sure that a database file is there, 0600, in a folder that others cannot write to; return its path.

    A missing folder is made 0700; an existing one that holds nothing but this file's family is tightened to 0700, any
    other stays as it is. Raises :class:`VaultError` for a symbolic link, a foreign owner, or a folder anyone can write.

    A file that is there is looked at and never opened: when a process closes a file, POSIX drops all locks that the
    process has on it, those of SQLite included (https://sqlite.org/howtocorrupt.html, 2.2).
    """
    path = path.absolute()
    _private_folder(path)
    try:
        if not os.path.lexists(path):
            _made(path)
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}-journal"):
            with contextlib.suppress(FileNotFoundError):  # SQLite makes and deletes the others as it needs them
                _tightened(path.with_name(name))
    except (OSError, ValueError) as cause:
        raise VaultError(_why(path, cause)) from None
    return path


def _made(path: Path) -> None:
    """Make an empty file whose handle is closed before anyone can find it by its name; one that is there stays."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINKS, 0o600))
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links: made under its own name, and its handle is never closed
        with contextlib.suppress(FileExistsError):
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINKS, 0o600)
    finally:
        draft.unlink()


def _tightened(path: Path) -> None:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise VaultError(_LINK.format(path))
    if not stat.S_ISREG(found.st_mode):
        raise VaultError(_NO_FILE.format(path))
    _owned(path, found)
    if os.name == "posix" and stat.S_IMODE(found.st_mode) & 0o077:
        path.chmod(0o600)


class DatabaseFile:
    """A private SQLite file, known by what it was when it was first looked at: it is not used once it was replaced."""

    def __init__(self, path: Path) -> None:
        self.path = private_file(path)
        self._found = _stat(self.path)

    @property
    def writable(self) -> bool:
        """Whether the folder can be written to from here: SQLite keeps its log there."""
        return os.access(self.path.parent, os.W_OK)

    def connect(self, *pragmas: str, timeout: float) -> sqlite3.Connection:
        """Open the file, which must be there. Where nothing can be written, not even a log, it is read as it is."""
        log = self.path.with_name(f"{self.path.name}-wal")
        mode = "rw" if self.writable or log.exists() else "ro&immutable=1"
        uri = f"file:{quote(str(self.path))}?mode={mode}"
        database = sqlite3.connect(uri, uri=True, timeout=timeout, check_same_thread=False, isolation_level=None)
        try:
            self.check()  # what was opened by its name is what was looked at
            for pragma in pragmas:
                database.execute(f"PRAGMA {pragma}")
        except (sqlite3.Error, VaultError):
            database.close()
            raise
        return database

    @property
    def is_replaced(self) -> bool:
        """Whether the file is gone, or another one has its name."""
        now = _stat(self.path)
        return now is None or self._found is None or not os.path.samestat(now, self._found)

    def check(self) -> None:
        """Raise :class:`VaultError` when the file is gone or another one has its name."""
        if self.is_replaced:
            raise VaultError(_GONE.format(self.path))


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError:
        return None


@contextlib.contextmanager
def locked(path: Path, *, timeout: float = 0) -> Iterator[bool]:
    """Wait so many seconds for the lock file beside ``path``; give whether it is held. A killed process loses it."""
    lock = DatabaseFile(path.with_name(f"{path.name}.lock"))
    with contextlib.closing(lock.connect(timeout=timeout)) as holder:
        try:
            holder.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:  # another process holds it
            pass
        except sqlite3.Error as cause:
            raise VaultError(f"The lock file {lock.path} is damaged ({cause}). It holds no data: delete it.") from None
        yield holder.in_transaction


def write_whole(path: Path, text: Secret) -> None:
    """Write a private file whole or not at all: to a draft beside it, which then takes its name."""
    path = path.absolute()
    _private_folder(path)
    if path.is_symlink():
        raise VaultError(_LINK.format(path))
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        with os.fdopen(
            os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINKS, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text.reveal())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as cause:
        draft.unlink(missing_ok=True)
        raise VaultError(_why(path, cause)) from None


def read_private(path: Path) -> str | None:
    """Read a private file, or return None where there is none.

    Raises :class:`VaultError` when it is a link, of another owner, or readable by others: what it holds may be known to
    them already, so it is not tightened in silence.
    """
    path = path.absolute()
    try:
        handle = os.open(path, os.O_RDONLY | _NO_LINKS | getattr(os, "O_NONBLOCK", 0))  # a pipe would wait
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as cause:
        raise VaultError(_why(path, cause)) from None
    with contextlib.ExitStack() as opened:
        opened.callback(os.close, handle)
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise VaultError(_NO_FILE.format(path))
        _owned(path, found)
        if os.name == "posix" and stat.S_IMODE(found.st_mode) & 0o077:
            raise VaultError(
                f"{path} can be read by other users of this machine ({stat.S_IMODE(found.st_mode):04o}). "
                f"If they are trusted: chmod 600 {path}; if not, rotate the key."
            )
        with os.fdopen(handle, encoding="utf-8", errors="replace", closefd=False) as file:
            return file.read()


def _private_folder(path: Path) -> None:
    folder = path.parent
    try:
        for each in reversed((folder, *folder.parents)):
            each.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISLNK(found.st_mode):
            raise VaultError(_LINK.format(folder))
        others_write = stat.S_IMODE(found.st_mode) & 0o002
        wider = stat.S_IMODE(found.st_mode) & 0o077
        if wider and _ours(found) and (_is_own(folder) or _only_family(folder, path.name)):
            folder.chmod(0o700)
        elif os.name == "posix" and others_write and not found.st_mode & stat.S_ISVTX:
            raise VaultError(
                f"Other users can change the folder {folder}. Run chmod go-w on it, or choose another folder."
            )
    except (OSError, ValueError) as cause:
        raise VaultError(_why(folder, cause)) from None


def _is_own(folder: Path) -> bool:
    with contextlib.suppress(VaultError):
        return folder in (own_file(""), own_file("", settings=True))
    return False


def _only_family(folder: Path, name: str) -> bool:
    """Whether a folder holds nothing but one file and what belongs to it (``-wal``, ``.lock`` and the like)."""
    return all(entry.name.startswith(name) for entry in folder.iterdir())


def _ours(found: os.stat_result) -> bool:
    return not hasattr(os, "getuid") or found.st_uid == os.getuid()


def _owned(path: Path, found: os.stat_result) -> None:
    if not _ours(found):
        raise VaultError(f"{path} belongs to another user of this machine. Choose another path, or change its owner.")


_NO_FILE: Final = "{} is not a regular file. Choose another path, or move it away."
_GONE: Final = "{} is gone or was replaced while it was in use. Put it back, or open the vault again."
_LINK: Final = "{} is a symbolic link, which could lead anywhere. Give the path that it leads to."


def _why(path: Path, cause: OSError | ValueError) -> str:
    if os.path.islink(path):  # noqa: PTH114 -- Path's raises where the folder may not be entered
        return _LINK.format(path)
    reason = cause.strerror if isinstance(cause, OSError) else "not a valid path"
    shown = str(path).encode(errors="backslashreplace").decode()  # half an emoji can be neither shown nor logged
    return f"{shown} cannot be used: {reason}. Nothing was changed. Fix this, or choose another path."
