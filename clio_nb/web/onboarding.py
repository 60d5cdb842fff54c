"""Connect users by the web: a link or an invitation, Clio's consent, and at once the user's buttons.

What a server mounts is in :mod:`clio_nb.web.asgi` and :mod:`clio_nb.web.wsgi`; the routes are the same in both.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from .. import errors
from ..action_rules import read_url
from ..firm.apply.apply import Result
from ..firm.async_firm import AsyncFirm
from ..firm.firm import Firm
from ..firm.manifest import Manifest, read_manifest
from ..http import timeouts, tokens
from ..http.oauth import Authorization
from ..http.sync_and_async import on_loop
from ..launches._pages import Page, Visit, moved
from ..models import Account, Site, User
from ..secret import Secret
from ..session import AsyncSession
from ..vault import Vault
from ..vocabulary import LOOPBACK, Region
from . import _team
from ._invitation import Invitation, Invitations
from ._pages import Pages
from ._sign_in import LIFETIME, SealedSignIns, SignIn
from .signed_cookie import Key

CONNECT: Final = "connect"
DISCONNECT: Final = "disconnect"
END_AT_CLIO: Final = "/app_integrations_callback"
"""Where a connection that began in Clio ends (Clio's guide, "Add to Clio")."""

CHECKED_EVERY: Final = 60.0  # seconds between two questions to Clio whether a user's access has ended
BODY_MAX: Final = 10_000  # bytes of a request; Clio's deauthorization has some 200
FIRMS_KEPT: Final = 1000

_log: Final = logging.getLogger("clio_nb.onboarding")

Hook: TypeAlias = Callable[..., object]
"""A plain function, or one that is awaited."""


class OnboardingRoutes:
    """The routes by which users connect, under one prefix of a partner's web app.

    ``connect`` begins a sign-in, ``callback`` completes it and makes the user's buttons, ``disconnect`` removes them,
    ``deauthorized`` hears from Clio that access has ended, ``team`` shows who of a firm has the buttons.

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
        may_see_team: ``may_see_team(visit)`` returns the :class:`clio_nb.Firm` whose team the visitor may see, or None.
            Nobody may, if left out.
        templates: A folder with templates of your own, in place of those here of the same name.
        timeout: Seconds that a callback may take in all.

    Raises:
        errors.InvalidInput: No public address, two apps in one region, a key that is too short.
        errors.ManifestError: The manifest cannot be read.

    The five functions may be plain or awaited; plain ones run in a thread.
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
        self._sites = {site.region: site for site in several}
        if not several or len(self._sites) < len(several):
            raise errors.InvalidInput("Pass one app for each region, at least one.", field="sites")
        self.timeout = timeouts.checked_timeout(timeout)
        self.url = _public(url)
        path = urlsplit(self.url).path
        self._vault = vault
        self._manifest = manifest
        read_manifest(manifest)
        self._hooks = {
            "may_connect": may_connect,
            "connected": connected,
            "declined": declined,
            "disconnected": disconnected,
            "failed": failed,
            "may_see_team": may_see_team,
        }
        self._sign_ins = SealedSignIns(key, path or "/", secure=self.url.startswith("https:"))
        self._invitations = Invitations(key)
        self._pages = Pages(templates, connect=f"{path}/{CONNECT}", disconnect=f"{path}/{DISCONNECT}")
        self._firms: dict[tuple[Region, int], AsyncFirm] = {}
        self._checking: set[tuple[Region, int]] = set()

    def invitation(self, firm: Firm | AsyncFirm | int, user: User | int, *, region: Region | str | None = None) -> str:
        """Return a personal link by which a user connects, for a mail or a chat. It can be used for seven days.

        Args:
            firm: The firm, or Clio's id of it.
            user: The user, or Clio's id of the user.
            region: The firm's region, where it does not follow from the firm or from the only app.

        Returns:
            The link. It is no secret: who opens it still has to sign in at Clio as that user.

        Raises:
            errors.InvalidInput: No region, or none of the apps is in it.
        """
        aio = firm.aio if isinstance(firm, Firm) else firm
        if isinstance(aio, AsyncFirm):
            region, firm_id = aio.site.region, aio.account_id()
        else:
            firm_id = aio
        if region is None and len(self._sites) == 1:
            region = next(iter(self._sites))
        if region not in self._sites:
            raise errors.InvalidInput("Say in which region the firm is: us, eu, ca or au.", field="region")
        invited = Invitation(Region(region).value, firm_id, user.id if isinstance(user, User) else user)
        return f"{self.url}/{CONNECT}?{urlencode({'invitation': self._invitations.sign(invited)})}"

    async def session_of(self, user_id: int) -> AsyncSession | None:
        """Return the session of a user who has connected, for the door of the launches; None for anybody else."""
        found = [
            (site, key.firm)
            for site in self._sites.values()
            for key in await asyncio.to_thread(self._vault.firms_of, site, user_id)
        ]
        if len(found) != 1:  # nobody, or users of two regions with one number: not to be told apart
            return None
        site, firm = found[0]
        return await self._firm(site, int(firm)).session_of(user_id)

    @on_loop
    async def respond(self, route: str, visit: Visit, body: bytes = b"") -> Page:
        """Answer a visit to one of the routes."""
        name = route.strip("/")
        method = {"deauthorized": "POST"}.get(name, "GET")
        routes: dict[str, Callable[[], Awaitable[Page]]] = {
            CONNECT: lambda: self._connect(visit),
            "callback": lambda: self._callback(visit),
            DISCONNECT: lambda: self._disconnect(visit, body),
            "deauthorized": lambda: self._deauthorized(body),
            "team": lambda: self._team(visit),
        }
        if name not in routes:
            return self._pages.message(404, "Nothing is here", "Open the link that you were given.")
        if visit.method != method and not (name == DISCONNECT and visit.method == "POST"):
            return self._pages.message(405, "Nothing was done", "Open the link in a browser.", ("allow", method))
        if visit.ahead_of_time:
            return self._pages.message(503, "Not yet", "A sign-in begins when a person opens the link, not before.")
        return await routes[name]()

    async def _connect(self, visit: Visit) -> Page:
        asked = dict(parse_qsl(visit.query))
        invited = self._invitations.read(asked["invitation"]) if asked.get("invitation") else None
        if isinstance(invited, str):
            return self._pages.message(400, "This invitation cannot be used", invited)
        region = (invited.region if invited else asked.get("region", "")).lower()
        site = next((site for here, site in self._sites.items() if here == region), None)
        if site is None and not region and len(self._sites) == 1:
            site = next(iter(self._sites.values()))
        if site is None:
            rest = {name: asked[name] for name in ("next", "from") if name in asked}
            links = [(here.value, "?" + urlencode({"region": here.value, **rest})) for here in self._sites]
            return self._pages.show(200, "region.html", regions=links)
        return self._begin(site, CONNECT, visit, asked, invited)

    def _begin(
        self, site: Site, purpose: str, visit: Visit, asked: dict[str, str], invited: Invitation | None = None
    ) -> Page:
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
        site = self._sites.get(Region(sign_in.region)) if sign_in else None
        fields = dict(parse_qsl(visit.query))
        if sign_in is None or site is None:
            return self._again(
                400,
                "This sign-in was begun in another browser, or more than ten minutes ago, or is complete already.",
            )
        authorization = sign_in.authorization(site, f"{self.url}/callback")
        if not authorization.knows(fields.get("state")):
            return self._again(400, "This is the answer to another sign-in than the last one of this browser.")
        claim = self._sign_ins.digest(sign_in.state)
        if not await asyncio.to_thread(self._vault.ledger.claim, "sign-in", claim, float(LIFETIME)):
            return self._again(409, "This sign-in was used already.")
        try:
            page = await self._complete(site, sign_in, authorization, visit.query)
        except errors.ClioError as error:
            _log.warning("sign-in in %s failed: %s", site.region.value, error)
            await self._tell("failed", error)
            page = self._failed(error)
        return replace(page, headers=(*page.headers, ("set-cookie", self._sign_ins.gone)))

    async def _complete(
        self, site: Site, sign_in: SignIn, authorization: Authorization, query: str
    ) -> Page:
        """Exchange the code, find out who it is, and connect or disconnect that user."""
        try:
            code = authorization.code_from(Secret(f"{authorization.redirect_uri}?{query}"))
        except errors.LoginDeclined:
            await self._tell("declined", site.region)
            return self._again(200, "You declined, so nothing was connected and nothing was changed.")
        wanted = read_manifest(self._manifest)  # before anything is kept, and as it is now
        token = await tokens.grant(site, authorization.exchange(code))
        session = AsyncSession(site, token)
        user = await session.who_am_i()
        if user.account is None:
            raise errors.LoginError("Clio did not say which firm this user belongs to. Tell the maker of the app.")
        if sign_in.purpose == DISCONNECT:
            return await self._disconnected(site, user, user.account, session)
        if not await self._tell("may_connect", user, site.region, otherwise=True):
            await session.logout()
            return self._pages.message(
                403, "Not for this firm", f"{user.account.name or 'Your firm'} cannot use this app. Ask its maker."
            )
        firm = self._firm(site, user.account.id)
        await firm.add(session)
        result = await firm.equip(session, wanted)
        await self._tell("connected", user, result)
        return self._connected(site, sign_in, user, wanted, result)

    def _connected(self, site: Site, sign_in: SignIn, user: User, manifest: Manifest, result: Result) -> Page:
        if sign_in.from_clio and result:
            return moved(site.origin + END_AT_CLIO)
        return self._pages.show(
            200 if result else 502,
            "connected.html",
            user=user,
            buttons=[(one, one.ordered_locations) for one in manifest.actions if one.who.includes(user)],
            failed=result.failed,
            other_user=sign_in.invited not in (None, user.id),
            next=sign_in.next,
            clio=site.origin,
        )

    async def _disconnect(self, visit: Visit, body: bytes) -> Page:
        """Ask whether it is meant; then the user signs in once more, which says who it is."""
        asked = dict(parse_qsl(body.decode("latin-1")))
        if visit.method == "GET":
            return self._pages.show(200, "disconnect.html", regions=[here.value for here in self._sites])
        own = urlsplit(self.url)
        site = next((site for here, site in self._sites.items() if here == asked.get("region")), None)
        if site is None or visit.headers.get("origin") not in (f"{own.scheme}://{own.netloc}", None):
            return self._pages.message(400, "Nothing was changed", "Open the page again and press its button.")
        return self._begin(site, DISCONNECT, visit, {})

    async def _disconnected(self, site: Site, user: User, account: Account, session: AsyncSession) -> Page:
        """Remove the user's buttons, give the access back to Clio, and forget the token."""
        firm = self._firm(site, account.id)
        result = await firm.offboard(user.id)
        if not result:
            raise errors.LoginError(f"Not all buttons could be removed, so nothing was disconnected. {result.failed[0].message}")
        await session.logout()
        await asyncio.to_thread(self._vault.remove, site, user.id, firm=firm.name)
        await self._tell("disconnected", user.id, site.region)
        return self._pages.message(200, "Disconnected", "Your buttons are removed, and the app has no access any more.")

    async def _deauthorized(self, body: bytes) -> Page:
        """Hear from Clio that access has ended. Anybody can send this, so it only makes us ask Clio.

        The body holds an access token and is never logged. The answer is the same for users who exist or do not.
        """
        try:
            said = msgspec.json.decode(body, type=_Deauthorization)
        except msgspec.MsgspecError:
            return self._pages.message(400, "Not understood", "This address is for Clio.")
        site = next((site for site in self._sites.values() if site.client_id == said.client_id), None)
        if site is not None and (asked := (site.region, said.user_id)) not in self._checking:
            self._checking.add(asked)
            timeouts.apart(self._check(site, said.user_id)).add_done_callback(lambda _: self._checking.discard(asked))
        return self._pages.message(200, "Noted", "Thank you.")

    async def _check(self, site: Site, user_id: int) -> None:
        """Ask Clio whether a user's access has ended, at most once a minute in all processes; forget it if so."""
        firms = await asyncio.to_thread(self._vault.firms_of, site, user_id)
        if not firms:
            return
        who = self._sign_ins.digest(f"{site.region.value} {user_id}")
        while not await asyncio.to_thread(self._vault.ledger.claim, "deauthorized", who, CHECKED_EVERY):
            await timeouts.sleep(CHECKED_EVERY)
        for key in firms:
            try:
                await (await self._firm(site, int(key.firm)).session_of(user_id)).who_am_i()
            except (errors.NeedsLogin, errors.Unauthorized):
                await asyncio.to_thread(self._vault.remove, site, user_id, firm=key.firm)
                _log.info("user %d in %s has taken back the access", user_id, site.region.value)
                await self._tell("disconnected", user_id, site.region)
            except errors.ClioError as error:
                _log.warning("could not ask whether user %d still has access: %s", user_id, error)

    async def _team(self, visit: Visit) -> Page:
        """Show who of a firm has the buttons, to those whom the app lets see it."""
        firm = await self._tell("may_see_team", visit)
        if firm is None:
            return self._pages.message(404, "Nothing is here", "Open the link that you were given.")
        aio = firm.aio if isinstance(firm, Firm) else firm
        members = await _team.members(aio, read_manifest(self._manifest))
        links = {one.user.id: self.invitation(aio, one.user) for one in members if one.may_be_invited}
        return self._pages.show(200, "team.html", members=members, invitations=links)

    def _firm(self, site: Site, account_id: int) -> AsyncFirm:
        """Return a firm by Clio's id, which is its name in the vault."""
        key = (site.region, account_id)
        firm = self._firms.pop(key, None) or AsyncFirm(site, self._vault, name=str(account_id), timeout=self.timeout)
        self._firms[key] = firm
        if len(self._firms) > FIRMS_KEPT:
            del self._firms[next(iter(self._firms))]
        return firm

    async def _tell(self, hook: str, *said: Any, otherwise: Any = None) -> Any:
        """Call one of the app's functions, off the loop unless it is to be awaited."""
        function = self._hooks[hook]
        if function is None:
            return otherwise
        if inspect.iscoroutinefunction(function):
            return await function(*said)
        answer = await asyncio.to_thread(function, *said)
        return await answer if inspect.isawaitable(answer) else answer

    def _again(self, status: int, text: str) -> Page:
        return self._pages.show(status, "again.html", text=text)

    def _failed(self, error: errors.ClioError) -> Page:
        kind = next((kind for kind in _EXPLAINED if isinstance(error, kind)), errors.ClioError)
        status, text = _EXPLAINED[kind]
        return self._pages.show(status, "again.html", text=text)


# What the person who signs in reads; the log has the error itself.
_EXPLAINED: Final[dict[type[errors.ClioError], tuple[int, str]]] = {
    errors.Forbidden: (
        403,
        "This app lacks a permission at Clio: it has to read users, and to read and write custom actions. Tell the maker "
        "of the app; when the permission is set, connect again.",
    ),
    errors.RunInProgress: (503, "Your buttons are being made at this moment. Finishing: connect again in a few seconds."),
    errors.ManifestError: (500, "The list of buttons of this app has an error. Tell the maker of the app."),
    errors.ClientRefused: (500, "Clio does not know this app. Tell the maker of the app."),
    errors.GrantRefused: (409, "Clio has used this sign-in already, or it is too old. Connect again."),
    errors.VaultError: (503, "This app cannot keep your connection at the moment. Connect again in a few minutes."),
    errors.ClioError: (502, "Clio does not answer as it should. Wait a moment, and connect again."),
}


class _Deauthorization(msgspec.Struct):
    """Clio's message (reference of 2022)."""

    client_id: str
    user_id: int


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
