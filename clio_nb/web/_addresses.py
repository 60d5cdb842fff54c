"""Which addresses a door covers. A middleware does not see the app's routes, and routers read a path more loosely.

Flask takes ``//launch`` for ``/launch``, Starlette's routes take a line break at the end, Django and Flask lead on to
the final slash, and a proxy may resolve dots. So the door covers all of these, and whether the prefix of a mounted app
is part of the path or not.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, urlsplit

from ..action_rules import read_url
from ..errors import InvalidInput
from ..launches.inspect import fits_target

_PATH: Final = re.compile(r"/[^?#%{}<>*;:\\\s]*")


class Door:
    """The address of the launches: ``path`` as the app's routes have it, ``url`` as the browser has it."""

    def __init__(self, path: str, url: str | None, target: str | None) -> None:
        if not isinstance(path, str) or not _PATH.fullmatch(path) or {".", ".."} & {*path.split("/")}:
            raise InvalidInput(
                f"path must begin with a slash and be one plain path such as '/launch', not {path!r:.60}.", field="path"
            )
        if url is not None and (isinstance(read_url(url), str) or {"?", "#"} & {*url}):
            raise InvalidInput(
                "url must be the public address of the launches, such as 'https://app.example/launch'.", field="url"
            )
        if url is not None and target is not None and not fits_target(f"{url}?{urlsplit(target).query}", target):
            raise InvalidInput("url and target are different addresses. Make them the same, or drop one.", field="url")
        self._path = _segments(path)
        self._url = url
        self._public = None if url is None else f"/{'/'.join(_segments(urlsplit(url).path))}"

    def places(self, prefix: str, path: str) -> tuple[str, ...]:
        """Return the paths under which the browser may see this address; none when the door does not cover it.

        ``prefix`` is where the app is mounted, which ``path`` begins with or not. Both are decoded.
        """
        mount, seen = _segments(prefix), _segments(path)
        inner = seen[len(mount) :] if seen[: len(mount)] == mount else seen
        public = (*mount, *inner)
        if self._path not in (inner, seen, public):
            return ()
        if self._public is not None:
            return (self._public,)
        return tuple(dict.fromkeys(_quoted(one) for one in (public, seen)))

    def url(self, scheme: str, host: str, path: str) -> str:
        """Return the address without its query: the public one, if it was given."""
        return self._url or f"{scheme}://{host}{path}"


def _segments(path: str) -> tuple[str, ...]:
    """Return the parts of a path as the loosest router reads them."""
    parts: list[str] = []
    for part in map(str.strip, path.split("/")):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return tuple(parts)


def _quoted(parts: tuple[str, ...]) -> str:
    return "/" + quote("/".join(parts), safe="/:@!$&'()*+,=~")
