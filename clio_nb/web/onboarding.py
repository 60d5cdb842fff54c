"""Connect users by the web: a link or an invitation, Clio's consent, and at once the user's buttons.

What a server mounts is in :mod:`clio_nb.web.asgi` and :mod:`clio_nb.web.wsgi`; the routes are the same in both.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, Protocol, runtime_checkable
from urllib.parse import parse_qsl, urlencode, urlsplit

from .. import errors
from ..firm.apply.apply import Result
from ..firm.async_firm import AsyncFirm
from ..firm.firm import Firm
from ..firm.manifest import Manifest, read_manifest
from ..http import timeouts, tokens
from ..http.oauth import Authorization
from ..http.sync_and_async import on_loop
from ..launches._pages import Page, Visit, moved
from ..models import Site, User
from ..secret import Secret
from ..session import AsyncSession
from ..urls import read_url
from ..vault import Vault
from ..vault._grants import id_of_user
from ..vault.vault import firm_key_of
from ..vocabulary import LOOPBACK, Region
from . import _team
from ._claims import claim_all
from ._end_of_access import Checks, disconnect, give_back, read_deauthorization
from ._failures import failure
from ._health import Health
from ._hooks import Hook, Hooks
from ._invitation import Invitation, Invitations
from ._pages import Pages
from ._sign_in import LIFETIME, SealedSignIns, SignIn
from .signed_cookie import Key
from .vault_sessions import VaultSessions

CONNECT: Final = "connect"
DISCONNECT: Final = "disconnect"
END_AT_CLIO: Final = "/app_integrations_callback"
"""Where a connection that began in Clio ends (Clio's guide, "Add to Clio")."""

BODY_MAX: Final = 10_000  # bytes of a request; Clio's deauthorization has some 200
FIRMS_KEPT: Final = 1000

_log: Final = logging.getLogger("clio_nb.onboarding")


@runtime_checkable
class HasId(Protocol):
    """A user, of Clio or of a sandbox."""

    @property
    def id(self) -> int:
        """Clio's id of the user."""


class Onboarding(VaultSessions):
    """The routes by which users connect, under one prefix of a partner's web app.

    ``connect`` begins a sign-in, ``callback`` completes it and makes the user's buttons, ``disconnect`` removes them,
    ``deauthorized`` hears from Clio that access has ended, ``team`` shows who of a firm has the buttons, ``healthz``
    tells a load balancer whether this process and its database serve.

    Args:
        sites: The app, or one app for each region (:func:`clio_nb.connect`).
        vault: Where the tokens are kept, by firm; its ledger remembers what is done.
        manifest: Which actions a user gets.
        key: Seals sign-ins and signs invitations: 32 characters or more, the same in every process; ``[new, old]``
            while it is being replaced.
        url: The public address of the prefix, such as ``"https://app.example/clio"``. ``url + "/callback"`` has to be
            a redirect URI of each app, ``url + "/deauthorized"`` its deauthorization callback URL.
        may_connect: ``may_connect(user, region)`` says whether this user may come in. Asked before anything is kept;
            everyone may, if left out.
        connected: ``connected(user, result)`` is told that a user has connected.
        declined: ``declined(region)`` is told that somebody pressed *Decline*.
        disconnected: ``disconnected(user_id, region)`` is told that a user's access has ended.
        failed: ``failed(error)`` is told why a sign-in did not complete.
        may_see_team: ``may_see_team(visit)`` returns the :class:`clio_nb.Firm` whose team the visitor may see, or
            nothing. Nobody may, if left out.
        templates: A folder with templates of your own, in place of those here of the same name.
        timeout: Seconds that a callback may take in all.

    Raises:
        errors.InvalidInput: No public address, two apps in one region or one app in two, a key that is too short.
        errors.ManifestError: The manifest cannot be read.

    The functions may be plain or awaited; plain ones run in a thread. What they raise is logged, and nobody comes in
    whom ``may_connect`` cannot judge.
    """

    def __init__(
        self,
        sites: Site | Iterable[Site],
        vault: Vault,
        *,
        manifest: Manifest | Path | str,
        key: Key,
        url: str,
        may_connect: Hook | None = None,
        connected: Hook | None = None,
        declined: Hook | None = None,
        disconnected: Hook | None = None,
        failed: Hook | None = None,
        may_see_team: Hook | None = None,
        templates: Path | str | None = None,
        timeout: float | None = None,
    ) -> None:
        several = list(sites) if isinstance(sites, Iterable) else [sites]
        self._apps: dict[Region, Site] = {site.region: site for site in several}
        if not several or len(self._apps) < len(several):
            raise errors.InvalidInput("Pass one app for each region, at least one.", field="sites")
        if len({site.client_id for site in several}) < len(several):
            raise errors.InvalidInput(
                "Two regions have the same client id, but an app belongs to one region. Register an app in each.",
                field="sites",
            )
        self.timeout = timeouts.checked_timeout(timeout)
        self.url = _public(url)
        path = urlsplit(self.url).path
        super().__init__(vault, several)
        self._manifest = manifest
        read_manifest(manifest)
        self._hooks = Hooks(
            may_connect=may_connect,
            connected=connected,
            declined=declined,
            disconnected=disconnected,
            failed=failed,
            may_see_team=may_see_team,
        )
        self._sign_ins = SealedSignIns(key, path or "/", secure=self.url.startswith("https:"))
        self._invitations = Invitations(key)
        self.connect_url = f"{path}/{CONNECT}"
        self._pages = Pages(templates, names=_NAMES, connect=f"{path}/{CONNECT}", disconnect=f"{path}/{DISCONNECT}")
        self._accounts: dict[tuple[Region, str], AsyncFirm] = {}
        self._health = Health(vault, several)
        self._checks = Checks(vault, self._firm, self._claim, partial(self._hooks.tell, "disconnected"))

    def invitation(self, firm: Firm | AsyncFirm | int, user: HasId | int, *, region: Region | str | None = None) -> str:
        """Return a personal link by which a user connects, for a mail or a chat. It can be used for seven days.

        Args:
            firm: The firm, or Clio's id of it.
            user: The user, or Clio's id of the user.
            region: The firm's region, where it does not follow from the firm or from the only app.

        Returns:
            The link. It is no secret: who opens it still has to sign in at Clio as that user.

        Raises:
            errors.InvalidInput: No region, or none of the apps is in it; or what cannot be an id at Clio.
        """
        aio = firm.aio if isinstance(firm, Firm) else firm
        if isinstance(aio, AsyncFirm):
            region, firm_id = aio.site.region, self._account_id(aio)
        else:
            firm_id = aio
        if region is None and len(self._apps) == 1:
            region = next(iter(self._apps))
        if region not in self._apps:
            regions = " or ".join(here.value for here in self._apps)
            raise errors.InvalidInput(f"Say in which region the firm is: there is an app in {regions}.", field="region")
        firm_id, user_id = id_of_user(firm_id), id_of_user(user.id if isinstance(user, HasId) else user)
        if firm_id < 1 or user_id < 1:
            raise errors.InvalidInput("Pass Clio's ids of the firm and the user: numbers from 1 on.", field="user")
        invited = Invitation(Region(region).value, firm_id, user_id)
        return f"{self.url}/{CONNECT}?{urlencode({'invitation': self._invitations.sign(invited)})}"

    @on_loop
    async def respond(self, route: str, visit: Visit, body: bytes | None = b"") -> Page:
        """Answer a visit to one of the routes. ``body`` is None for one that was larger than :data:`BODY_MAX`."""
        name = route.strip("/")
        if name not in _METHODS:
            return self._pages.message(404, "Nothing is here", "Open the link that you were given.")
        if visit.method not in _METHODS[name].split(", ") or body is None:
            status, headers = (413, ()) if body is None else (405, (("allow", _METHODS[name]),))
            return self._pages.message(status, "Nothing was done", "Open the link in a browser.", *headers)
        if visit.ahead_of_time:
            return self._pages.message(503, "Not yet", "A sign-in begins when a person opens the link, not before.")
        if name == "deauthorized":
            return self._deauthorized(body)
        if name in ("callback", "team", "healthz"):
            asked = {"callback": self._callback, "team": self._team_or_why_not, "healthz": self._health.page}
            return await asked[name](visit)
        return self._connect(visit) if name == CONNECT else self._disconnect(visit, body)

    def _connect(self, visit: Visit) -> Page:
        asked = dict(parse_qsl(visit.query))
        invited = self._invitations.read(asked["invitation"]) if asked.get("invitation") else None
        if isinstance(invited, str):
            return self._pages.message(400, "This invitation cannot be used", invited)
        region = (invited.region if invited else asked.get("region", "")).lower()
        site = next((site for here, site in self._apps.items() if here == region), None)
        if site is None and not region and len(self._apps) == 1:
            site = next(iter(self._apps.values()))
        if site is None:
            rest = {name: asked[name] for name in ("next", "from") if name in asked}
            links = [(here.value, "?" + urlencode([("region", here.value), *rest.items()])) for here in self._apps]
            return self._pages.show(200, "region.html", regions=links)
        return self._begin(site, CONNECT, asked, invited)

    def _begin(self, site: Site, purpose: str, asked: dict[str, str], invited: Invitation | None = None) -> Page:
        """Send the browser to Clio's consent page, and keep what the callback needs in its cookie."""
        authorization = Authorization(site, f"{self.url}/callback")
        sign_in = SignIn(
            region=site.region.value,
            state=authorization.state,
            verifier=authorization.verifier,
            purpose=purpose,
            next=_within(asked.get("next", "")),
            from_clio=asked.get("from") == "clio",
            invited=invited.user_id if invited else None,
        )
        return moved(authorization.authorization_url, ("set-cookie", self._sign_ins.cookie(sign_in)))

    async def _callback(self, visit: Visit) -> Page:
        sign_in = self._sign_ins.read(visit.headers.get("cookie", ""))
        site = self._apps.get(Region(sign_in.region)) if sign_in else None
        asked = parse_qsl(visit.query, keep_blank_values=True)
        fields = dict(asked)
        if sign_in is None or site is None:
            return self._again(
                400,
                "This sign-in was begun in another browser, or more than ten minutes ago, or is complete already.",
            )
        authorization = sign_in.authorization(site, f"{self.url}/callback")
        if not authorization.knows(fields.get("state")):
            return self._again(400, "This is the answer to another sign-in than the last one of this browser.")
        if len(fields) < len(asked) or not (fields.get("code") or fields.get("error")):
            return self._again(400, "Clio's answer did not arrive whole. Connect again.")
        try:
            if not await self._claim("sign-in", sign_in.state, LIFETIME):
                return self._again(409, "This sign-in was used already.")
            page = await self._complete(site, sign_in, authorization, visit.query)
        except errors.ClioError as error:
            _log.warning("sign-in in %s failed: %s", site.region.value, error)
            await self._hooks.tell("failed", error)
            status, text = failure(error)
            page = self._again(status, text)
        return replace(page, headers=(*page.headers, ("set-cookie", self._sign_ins.gone)))

    async def _complete(self, site: Site, sign_in: SignIn, authorization: Authorization, query: str) -> Page:
        """Exchange the code, find out who it is, and connect or disconnect that user."""
        try:
            code = authorization.code_from(authorization.answered(query))
        except errors.LoginDeclined:
            await self._hooks.tell("declined", site.region)
            return self._again(200, "You declined, so nothing was connected and nothing was changed.")
        wanted = read_manifest(self._manifest)  # before anything is kept, and as it is now
        token = await tokens.grant(site, authorization.exchange(code))
        session = AsyncSession(site, token)
        try:
            return await self._let_in(site, sign_in, session, wanted)
        except errors.ClioError:
            timeouts.apart(give_back(session))
            raise

    async def _let_in(self, site: Site, sign_in: SignIn, session: AsyncSession, wanted: Manifest) -> Page:
        """Connect or disconnect whoever has signed in. What it raises leaves nothing of a new user behind."""
        user = await session.who_am_i()
        if user.account is None:
            raise errors.LoginError("Clio did not say which firm this user belongs to. Tell the maker of the app.")
        firm = self._firm(site, str(user.account.id))
        if sign_in.purpose == DISCONNECT:
            await disconnect(firm, user, session)
            await self._hooks.tell("disconnected", user.id, site.region)
            return self._pages.message(
                200, "Disconnected", "Your buttons are removed, and this app has no access to your Clio any more."
            )
        if not await self._hooks.ask("may_connect", user, site.region, otherwise=True):
            timeouts.apart(give_back(session))
            return self._pages.message(
                403, "Not for this firm", f"{user.account.name or 'Your firm'} cannot use this app. Ask its maker."
            )
        before = await asyncio.to_thread(self.vault.grant, site, user.id, firm=firm.name)
        try:
            result = await firm.equip(session, wanted)
        except errors.ClioError:
            if before is None:
                await asyncio.to_thread(self.vault.remove, site, user.id, firm=firm.name)
            else:  # connected before, and so again
                await asyncio.to_thread(self.vault.keep, site, before.user, before.token, firm=firm.name)
            raise
        await self._hooks.tell("connected", user, result)
        return self._connected(site, sign_in, user, wanted, result)

    def _connected(self, site: Site, sign_in: SignIn, user: User, manifest: Manifest, result: Result) -> Page:
        if sign_in.from_clio and result:
            return moved(site.origin + END_AT_CLIO)
        return self._pages.show(
            200 if result else 502,
            "connected.html",
            user=user,
            buttons=[
                (one.label, [menu for location in one.ordered_locations for menu in location.menus])
                for one in manifest.actions
                if one.who.includes(user)
            ],
            failed=result.failed,
            other_user=sign_in.invited not in (None, user.id),
            next=sign_in.next,
            clio=site.origin,
        )

    def _disconnect(self, visit: Visit, body: bytes) -> Page:
        """Ask whether it is meant; then the user signs in once more, which says who it is."""
        if visit.method == "GET":
            return self._pages.show(200, "disconnect.html", regions=[here.value for here in self._apps])
        asked = dict(parse_qsl(body.decode("latin-1")))
        own = urlsplit(self.url)
        site = next((site for here, site in self._apps.items() if here == asked.get("region")), None)
        if site is None or visit.headers.get("origin", "null") not in ("null", f"{own.scheme}://{own.netloc}"):
            return self._pages.message(400, "Nothing was changed", "Open the page again and press its button.")
        return self._begin(site, DISCONNECT, {})

    def _deauthorized(self, body: bytes) -> Page:
        """Hear from Clio that access has ended. Anybody can send this, so it only makes us ask Clio."""
        said = read_deauthorization(body)
        site = next((site for site in self._apps.values() if said and site.client_id == said[0]), None)
        if said and site:
            self._checks.begin(site, said[1])
        return self._pages.message(200, "Noted", "Thank you.")

    async def _team_or_why_not(self, visit: Visit) -> Page:
        try:
            return await self._team(visit)
        except errors.ClioError as error:
            _log.warning("the team cannot be shown: %s", error)
            return self._pages.message(502, "The team cannot be shown now", f"{error} Then open this page again.")

    async def _team(self, visit: Visit) -> Page:
        """Show who of a firm has the buttons, to those whom the app lets see it."""
        firm = await self._hooks.ask("may_see_team", visit)
        if not firm:
            return self._pages.message(404, "Nothing is here", "Open the link that you were given.")
        aio = firm.aio if isinstance(firm, Firm) else firm
        account_id = self._account_id(aio)
        wanted = read_manifest(self._manifest)
        members = await _team.members(
            aio,
            account_id,
            wanted,
            lambda: self._claim("users-list", f"{aio.site.region.value} {account_id}", _team.LISTED_FOR),
        )
        links = {one.user.id: self.invitation(aio, one.user) for one in members if one.invite}
        return self._pages.show(200, "team.html", members=members, invitations=links)

    def _firm(self, site: Site, name: str) -> AsyncFirm:
        """Return a firm by its name in the vault: for those who connect here, Clio's id of it."""
        key = (site.region, name)
        firm = self._accounts.pop(key, None) or AsyncFirm(site, self.vault, name=name, timeout=self.timeout)
        self._accounts[key] = firm
        if len(self._accounts) > FIRMS_KEPT:
            del self._accounts[next(iter(self._accounts))]
        return firm

    def _account_id(self, firm: AsyncFirm) -> int:
        account_id = self.vault.ledger.firm_id(firm_key_of(firm.site, firm.name))
        if account_id is None:
            raise errors.InvalidInput(
                "Nobody of this firm has connected yet: pass Clio's id of the firm.", field="firm"
            )
        return account_id

    async def _claim(self, kind: str, what: Secret | str, seconds: float) -> bool:
        """Return True to the first who asks for this within so many seconds, in all processes."""
        return await asyncio.to_thread(claim_all, self.vault.ledger, kind, self._sign_ins.digests(what), seconds)

    def _again(self, status: int, text: str) -> Page:
        return self._pages.show(status, "again.html", text=text)


_METHODS: Final = {
    CONNECT: "GET",
    "callback": "GET",
    DISCONNECT: "GET, POST",
    "deauthorized": "POST",
    "team": "GET",
    "healthz": "GET, HEAD",
}
_NAMES: Final = {Region.US: "United States", Region.EU: "Europe", Region.CA: "Canada", Region.AU: "Australia"}


def _public(url: str) -> str:
    """Return the public address of the prefix. Raises :class:`errors.InvalidInput` unless it is one."""
    parts = urlsplit(str(url).rstrip("/"))
    fine = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    if isinstance(read_url(str(url)), str) or not fine or parts.query or parts.fragment or not parts.path.strip("/"):
        raise errors.InvalidInput(
            f"{str(url)[:80]!r} is not the public address of this app's pages. Use https and a path, such as "
            "https://app.example/clio.",
            field="url",
        )
    return str(url).rstrip("/")


def _within(path: str) -> str:
    """Return a path of this site, or nothing for what would lead elsewhere."""
    plain = path.isascii() and path.isprintable() and path.startswith("/") and "\\" not in path
    return path if plain and not path.startswith("//") and len(path) < 2000 else ""
