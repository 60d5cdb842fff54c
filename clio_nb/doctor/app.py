"""The app: whether Clio knows it, where a sign-in comes back to, and what it may do. Nothing is written at Clio."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ..errors import ApiError, ClientRefused, ClioError, Forbidden, GrantRefused, NeedsLogin, NetworkError
from ..http import loop, loopback, messages, oauth, tokens, transport
from ..http.sandbox_control import Control
from ..login.connect import CLIENT_ID, CLIENT_SECRET, name_of
from ..login.redirect_uri import way_back
from ..models import Site
from ..secret import Secret
from ..session import Session
from ..vault import Vault
from ..vocabulary import Location
from .check import NOT_CHECKED, Check, failed

if TYPE_CHECKING:
    from ..vault import Grant

PART: Final = "The app"
_NO_CODE: Final = "clio-nb-doctor"  # a code that Clio never gave


def checks(site: Site, *, reached: bool) -> Iterator[Check]:
    """Look at what needs no token; ``reached`` says whether Clio answers at all."""
    known = _known(site) if reached else Check(PART, "id and secret", None, f"{NOT_CHECKED}: Clio does not answer.")
    yield known
    yield _redirect(site, known)
    yield _port(site)


def _known(site: Site) -> Check:
    """Have Clio say whether it knows the app: it looks at id and secret before it refuses a code that it never gave."""
    form = oauth.Authorization(site, site.redirect_uri).exchange(Secret(_NO_CODE))
    what = f"{site.client_id[:12]} in region {site.region.value}"
    try:
        loop.run(tokens.grant, site, form)
    except GrantRefused:
        return Check(PART, "id and secret", True, f"Clio knows the app {what}.")
    except ClientRefused:
        said = f"Clio does not know the app {what}: its id, its secret or the region is wrong."
        return Check(PART, "id and secret", False, said, " ".join([*_odd(site), _PORTAL.format(site.region.value)]))
    except (NetworkError, ApiError) as error:
        return Check(PART, "id and secret", None, f"{NOT_CHECKED}: {error}")
    except ClioError as error:
        return failed(PART, "id and secret", error)
    return Check(PART, "id and secret", None, f"{NOT_CHECKED}: Clio gave a token for a code that it never gave.")


_PORTAL: Final = "Compare all three with Clio's developer portal of region {}."


def _odd(site: Site) -> Iterator[str]:
    """Name the variables whose value has something at its ends that files of variables and pasting leave there."""
    for name in (CLIENT_ID, CLIENT_SECRET):
        own = name_of(name, site.region)
        value = os.environ.get(own, "")
        if value != value.strip().strip("\"'\u2018\u2019\u201c\u201d\ufeff"):
            yield f"{own} begins or ends with a space, a line break or a quotation mark: remove it."


def _redirect(site: Site, known: Check) -> Check:
    """Have Clio say whether the redirect URI is registered. It does before a person signs in on a sandbox only."""
    uri = site.redirect_uri
    said = f"Comes back to {uri}."
    if not known.ok:
        return Check(PART, "redirect URI", None, f"{NOT_CHECKED}: Clio has to know the app first.")
    try:
        answer = loop.run(transport.exchange, "GET", oauth.Authorization(site, uri).authorization_url, headers={})
    except ClioError as error:
        return Check(PART, "redirect URI", None, f"{NOT_CHECKED}: {error}")
    if 400 <= answer.status < 500:
        fix = "Register it in the developer portal to the letter: scheme, host, port, path and final slash."
        return Check(PART, "redirect URI", False, f"{uri} is not registered for the app.", fix)
    if answer.status == 200:
        return Check(PART, "redirect URI", True, f"{said} It is registered.")
    fix = (
        "Clio says whether it is registered to the letter only to whoever signs in: compare it in the developer portal."
    )
    return Check(PART, "redirect URI", None, said, fix)


def _port(site: Site) -> Check:
    try:
        way = way_back(site.redirect_uri)
        if way.port is None:
            return Check(PART, "port", True, "None is needed: you paste the code, or the address that you end up at.")
        for one in loopback.listeners(way.host, way.port, advice="Close it, or paste the code when you sign in."):
            one.close()
    except ClioError as error:
        return failed(PART, "port", error)
    return Check(PART, "port", True, f"{way.host}:{way.port} is free for the browser to come back to.")


def permissions(site: Site, vault: Vault | None, grant: Grant | None, needed: set[Location]) -> Iterator[Check]:
    """Look at what the app may read for one user who has signed in; ``needed`` are the locations of a manifest."""
    if site.control_url is None and (vault is None or grant is None):
        yield Check(PART, "permissions", None, f"{NOT_CHECKED}: nobody has signed in.")
        return
    try:
        source = loop.run(Control(site).token) if vault is None or grant is None else vault.source(site, grant.user.id)
        session = Session(site, source)
        refused = [what for what, request in _READS.items() if not _may(session, request)]
    except NeedsLogin as error:
        yield Check(PART, "permissions", None, f"{NOT_CHECKED}: {error}", "Run: clio-nb login")
        return
    except ClioError as error:
        yield failed(PART, "permissions", error)
        return
    wanted = {"users", "custom actions", *(location.resource for location in needed)}
    lacks = [what for what in refused if what in wanted]
    if lacks:
        fix = "Tick Read for it in the developer portal, and have every user sign in again: permissions are fixed then."
        yield Check(PART, "permissions", False, f"The app may not read {', '.join(lacks)}.", fix)
        return
    said = "It may read custom actions and users"
    said += (
        f", but not {', '.join(refused)}: launches there cannot be verified."
        if refused
        else ", and every kind of record."
    )
    fix = "Whether it may write custom actions shows when the first one is made: tick Write in the developer portal."
    yield Check(PART, "permissions", None if refused else True, said, fix)


_READS: Final = {
    "users": messages.who_am_i(),
    "custom actions": messages.list_actions(),
    **{
        location.resource: dataclasses.replace(
            messages.list_records(location), query=(("fields", "id"), ("limit", "1"))
        )
        for location in Location
    },
}


def _may(session: Session, request: messages.Request) -> bool:
    try:
        loop.run(session.aio.request, request, object)
    except Forbidden:
        return False
    return True
