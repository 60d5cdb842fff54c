"""A manifest: which custom actions the users of a firm should see, as a TOML file in the partner's own repository.

::

    [app]
    name = "partner-sign"                      # whose actions these are; another manifest's are foreign to this one

    [[actions]]
    key = "sign"                               # what this action is called here, whatever its label becomes
    label = "Send for signature"
    target_url = "https://partner.example/launch"
    locations = ["matters", "documents"]
    formerly = ["https://old.example/launch"]  # earlier target URLs, so that an action made with one is found
    who = { roles = ["admin"], users = ["anna@firm.example"], exclude = [123] }  # everyone, if left out

    [profiles.dev]                             # other target URLs, by key, for clio-nb plan --profile dev
    sign = "https://dev.partner.example/launch"

Read strictly: an unknown key, a wrong type or a value that Clio would refuse is an error that names the file, the line
or key, and the nearest right word.
"""

from __future__ import annotations

import difflib
import errno
import itertools
import operator
import re
import stat
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from ..action_rules import Finding, as_shown, findings, location_of
from ..errors import ManifestError
from ..models import User, whole_letters
from ..urls import as_sent
from ..vocabulary import Location, Region

ROLES: Final = ("admin", "accounts", "billing", "reports")
LONGEST: Final = 5_000_000  # bytes
SUBSCRIPTION_TYPES: Final = ("Attorney", "NonAttorney")


class AppOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The app that a manifest belongs to. ``region``, if given, guards against planning in another one."""

    name: str
    region: Region | None = None


class Who(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which users see an action: everyone, or those of any of these roles, types and names; never the excluded.

    Users are named by id or by e-mail address.
    """

    everyone: bool = False
    roles: tuple[str, ...] = ()
    subscription_types: tuple[str, ...] = ()
    users: tuple[int | str, ...] = ()
    exclude: tuple[int | str, ...] = ()

    def includes(self, user: User) -> bool:
        """Whether this user is meant."""
        if _named(user, self.exclude):
            return False
        if self.everyone or not (self.roles or self.subscription_types or self.users):
            return True
        roles = {role.casefold() for role in user.roles or ()}
        kind = (user.subscription_type or "").casefold()
        return (
            _named(user, self.users)
            or any(role.casefold() in roles for role in self.roles)
            or any(kind == wanted.casefold() for wanted in self.subscription_types)
        )


class Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One action of the manifest. Its ``key`` never changes; label, target URL and locations may."""

    key: str
    label: str
    target_url: str
    locations: tuple[str, ...]
    formerly: tuple[str, ...] = ()
    who: Who = Who()

    @property
    def ordered_locations(self) -> tuple[Location, ...]:
        """The locations as :class:`Location`, in Clio's order, each once."""
        wanted = {location_of(each) for each in self.locations}
        return tuple(location for location in Location if location in wanted)


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What every user of a firm should see. Read one with :func:`read_manifest`; ``to_toml()`` writes it back."""

    app: AppOf
    actions: tuple[Action, ...] = ()
    profiles: dict[str, dict[str, str]] = {}

    @property
    def asks_for_roles(self) -> bool:
        """Whether it chooses users by role or type."""
        return any(action.who.roles or action.who.subscription_types for action in self.actions)

    def target_url(self, action: Action, profile: str | None) -> str:
        """Return where an action leads in a profile, as it is sent: its own target URL where that names no other."""
        return as_sent(self.profiles.get(profile or "", {}).get(action.key, action.target_url))

    def target_urls(self, action: Action) -> set[str]:
        """Return every URL that an action of this key can have, in any profile, now or formerly."""
        others = (urls[action.key] for urls in self.profiles.values() if action.key in urls)
        return {action.target_url, *action.formerly, *others}

    def findings(self, action: Action, profile: str | None) -> list[Finding]:
        """Return what is wrong with an action in a profile, worst first."""
        return findings(label=action.label, target_url=self.target_url(action, profile))

    def notes(self, profile: str | None) -> list[str]:
        """Return what is wrong with the actions in a profile, as sentences that name the action."""
        said = [f"Action {one.key!r}: {each.sentence}" for one in self.actions for each in self.findings(one, profile)]
        slots: dict[tuple[str, Location, Who], str] = {}
        for one in self.actions:
            for location in one.ordered_locations:
                twin = slots.setdefault((as_shown(one.label), location, one.who), one.key)
                if twin != one.key:
                    said.append(
                        f"Action {one.key!r}: action {twin!r} has the same label on {location.resource} "
                        "for the same users. Change one of the labels."
                    )
        return said

    def check_profile(self, profile: str | None) -> None:
        """Raise :class:`ManifestError` for a profile that the manifest does not have."""
        if profile is not None and profile not in self.profiles:
            known = ", ".join(self.profiles) or "none"
            raise ManifestError(
                f"The manifest has no profile {profile!r} (it has: {known}).{_nearest(profile, self.profiles)}"
            )

    def to_toml(self) -> str:
        """Return the manifest as a TOML text that reads back as the same manifest."""
        import tomli_w  # noqa: PLC0415 -- only for writing

        data = msgspec.to_builtins(self, enc_hook=operator.index)  # ids may be numpy's
        for action in data.get("actions", ()):
            if not action.get("who", True):
                del action["who"]  # everyone
        return tomli_w.dumps(data)


def read_manifest(source: Manifest | str | Path) -> Manifest:
    """Read a manifest from its file, or return the one that is given.

    Raises :class:`ManifestError` that names the file, the line or key, and the nearest right word.
    """
    if isinstance(source, Manifest):
        return source
    path = Path(source)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError(errno.EINVAL, "Not a regular file")  # noqa: TRY301 -- said below, as for any other path
        with path.open("rb") as file:
            content = file.read(LONGEST + 1)
        text = content.decode("utf-8-sig")
    except OSError as cause:
        raise ManifestError(f"{path}: cannot be read ({cause.strerror}). Give the path of a TOML manifest.") from None
    except UnicodeDecodeError as cause:
        line = content[: cause.start].count(b"\n") + 1
        raise ManifestError(f"{path}: line {line} is not UTF-8. Save the file as UTF-8.") from None
    except ValueError:
        raise ManifestError(f"{str(path)!r}: not a valid path. Give the path of a TOML manifest.") from None
    return parse_manifest(text, name=str(path))


def parse_manifest(text: str, *, name: str = "manifest") -> Manifest:
    """Read a manifest from TOML text; ``name`` stands for the file in errors. Raises :class:`ManifestError`."""
    if len(text) > LONGEST:
        raise ManifestError(f"{name}: larger than {LONGEST // 1_000_000} MB. Split it, or select users by role.")
    try:
        data = tomllib.loads(text)
        manifest = msgspec.convert(data, Manifest)
    except tomllib.TOMLDecodeError as cause:
        raise ManifestError(f"{name}: not valid TOML: {cause}.") from None
    except RecursionError:
        raise ManifestError(f"{name}: line {_deepest(text)}: nested too deeply.") from None
    except msgspec.ValidationError as cause:
        raise ManifestError(f"{name}: {_explained(str(cause), data)}") from None
    except ValueError:  # of int(), which reads no more digits than this
        before = re.split(r"\d[\d_]{600}", text, maxsplit=1)[0]
        raise ManifestError(f"{name}: line {before.count(chr(10)) + 1}: this number is too long.") from None
    for problem in problems(manifest):
        raise ManifestError(f"{name}: {problem.path}: {problem.says}")
    return manifest


def _deepest(text: str) -> int:
    """Return the number of the line on which most brackets are open."""
    lines = text.split("\n")
    opened = [line.count("[") + line.count("{") for line in lines]
    left_open = (new - line.count("]") - line.count("}") for new, line in zip(opened, lines, strict=True))
    depths = [sum(pair) for pair in zip(itertools.accumulate(left_open, initial=0), opened, strict=False)]
    return depths.index(max(depths)) + 1


class _Problem(NamedTuple):
    path: str
    says: str


def problems(manifest: Manifest) -> Iterator[_Problem]:
    """Find what is of the right type and still wrong, in the order of the file."""
    if not manifest.app.name.strip():
        yield _Problem("app.name", "is empty. Give the app a name: it tells its actions from those of other manifests.")
    if manifest.app.name != whole_letters(manifest.app.name):
        yield _Problem("app.name", "has half an emoji or another broken character. Remove it.")
    keys: set[str] = set()
    for number, action in enumerate(manifest.actions):
        at = f"actions[{number}]"
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", action.key):
            yield _Problem(f"{at}.key", "use 1 to 64 letters, digits, - and _.")
        if action.key in keys:
            yield _Problem(f"{at}.key", f"{action.key!r} is already the key of another action. Choose another key.")
        keys.add(action.key)
        yield from _values(at, action)
    for profile, urls in manifest.profiles.items():
        for key, url in urls.items():
            if key not in keys:
                yield _Problem(
                    f"profiles.{profile}.{key}", f"does not match the key of any action.{_nearest(key, keys)}"
                )
            yield from _errors(f"profiles.{profile}.{key}", findings(target_url=url))


def _values(at: str, action: Action) -> Iterator[_Problem]:
    yield from _errors(f"{at}.label", findings(label=action.label))
    yield from _errors(f"{at}.target_url", findings(target_url=action.target_url))
    for index, url in enumerate(action.formerly):  # that its launches are refused is no reason not to look for it
        yield from _errors(f"{at}.formerly[{index}]", (one for one in findings(target_url=url) if one.clio))
    if not action.locations:
        yield _Problem(f"{at}.locations", "is empty. Name at least one location.")
    for index, location in enumerate(action.locations):
        yield from _errors(f"{at}.locations[{index}]", findings(at=location))
    yield from _who_problems(f"{at}.who", action.who)


def _errors(path: str, found: Iterable[Finding]) -> Iterator[_Problem]:
    return (_Problem(path, finding.sentence) for finding in found if finding.level == "error")


def _who_problems(path: str, who: Who) -> Iterator[_Problem]:
    if who.everyone and (who.roles or who.subscription_types or who.users):
        yield _Problem(path, "has both `everyone` and specific users; remove one of them.")
    for field, words, known in (
        ("roles", who.roles, ROLES),
        ("subscription_types", who.subscription_types, SUBSCRIPTION_TYPES),
    ):
        for index, word in enumerate(words):
            if word.casefold() not in {right.casefold() for right in known}:
                near = _nearest(word, known) or f" Use one of: {', '.join(known)}."
                yield _Problem(f"{path}.{field}[{index}]", f"unknown value {word[:60]!r}.{near}")
    for field, names in (("users", who.users), ("exclude", who.exclude)):
        for index, name in enumerate(names):
            if isinstance(name, int) and not 0 < name < 2**63:
                yield _Problem(f"{path}.{field}[{index}]", "is not a user id. Use a whole number from 1 to 2^63 - 1.")
            elif isinstance(name, str) and "@" not in name:
                yield _Problem(f"{path}.{field}[{index}]", f"{name[:60]!r} is not an e-mail address or a user id.")


def _named(user: User, names: Iterable[int | str]) -> bool:
    email = (user.email or "").casefold()
    return any(name.casefold() == email if isinstance(name, str) else name == user.id for name in names)


_SHAPES: Final = {"": Manifest, "app": AppOf, "actions[]": Action, "actions[].who": Who}
_WORDS: Final = {
    "str": "text",
    "int": "a whole number",
    "array": "a list",
    "object": "a table",
    "bool": "true or false",
    "float": "a number",
}


def _explained(said: str, data: dict[str, Any]) -> str:
    """Turn an error of msgspec into a sentence with the path in front and the nearest right word at the end."""
    what, _, where = said.rpartition(" - at `$") if " - at `$" in said else (said, "", "")
    path = where.rstrip("`").lstrip(".")
    if "[...]" in path:  # msgspec does not name the keys of a free table
        path = _first_wrong_profile(data["profiles"])
    if unknown := re.search(r"unknown field `(.*)`", what):
        shape = _SHAPES.get(re.sub(r"\[\d+\]", "[]", path), Manifest)
        near = _nearest(unknown[1], shape.__struct_fields__) or f" Known keys: {', '.join(shape.__struct_fields__)}."
        return f"{path}.{unknown[1][:60]}: unknown key.{near}".removeprefix(".")
    if missing := re.search(r"missing required field `(.*)`", what):
        return f"{path}.{missing[1]}: is missing.".removeprefix(".")
    if value := re.search(r"Invalid enum value '(.*)'", what):
        regions = [region.value for region in Region]
        return f"{path}: unknown region {value[1][:60]!r}. Use one of: {', '.join(regions)}."
    kinds = re.sub(
        r"`([\w| ]+)`", lambda kinds: " or ".join(_WORDS.get(kind, kind) for kind in kinds[1].split(" | ")), what
    )
    return f"{path or 'the file'}: {kinds.replace('Expected', 'expected')}."


def _first_wrong_profile(profiles: dict[str, Any]) -> str:
    wrong = (name for name, urls in profiles.items() if not isinstance(urls, dict))
    deeper = (
        f"{name}.{key}"
        for name, urls in profiles.items()
        if isinstance(urls, dict)
        for key, url in urls.items()
        if not isinstance(url, str)
    )
    return f"profiles.{next(wrong, None) or next(deeper)}"


def _nearest(word: str, known: Iterable[str]) -> str:
    """Suggest the nearest right word, or nothing when none is near."""
    right = {candidate.casefold(): candidate for candidate in known}
    near = difflib.get_close_matches(word.casefold(), right, n=1)
    return f" Did you mean {right[near[0]]!r}?" if near else ""
