"""Receive launches in Django: proved launches reach your view, all others are refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, re_path
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt

from ..errors import InvalidInput
from ..http import loop
from ..launches._pages import PRIVATE, Page, Visit
from . import onboarding
from ._guard import KEY, Guard, launch_in
from .proved_launch import AsyncProvedLaunch, ProvedLaunch

GetResponse = Callable[[HttpRequest], Any]


class LaunchMiddleware(Guard[GetResponse]):
    """Guard one address of a Django project, as :class:`clio_nb.web.asgi.LaunchMiddleware` does.

    Its arguments are in the setting ``CLIO_NB``; ``sessions`` can be the dotted name of an object::

        MIDDLEWARE = [..., "clio_nb.web.django.LaunchMiddleware"]
        CLIO_NB = {"sessions": "mysite.clio.firm", "key": os.environ["LAUNCH_KEY"], "path": "/launch"}

    Views and middlewares may be sync or async, and Django's test client goes through it.
    """

    sync_capable = async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        options: dict[str, Any] = dict(getattr(settings, "CLIO_NB", None) or {})
        if not {"sessions", "key"} <= options.keys():
            raise InvalidInput("Settings: give CLIO_NB a dictionary with 'sessions' and 'key'.", field="CLIO_NB")
        if isinstance(options["sessions"], str):
            options["sessions"] = import_string(options["sessions"])
        super().__init__(get_response, **options)
        self._awaited = iscoroutinefunction(get_response)
        if self._awaited:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Serve one request."""
        places = self.places(request.path.removesuffix(request.path_info), request.path)
        if not places:
            return self._app(request)  # type: ignore[no-any-return]  # what Django's next handler gives
        if self._awaited:
            return self._serve(request, places)
        outcome = loop.run(self.admit, _visit(request), places)
        return _answer(outcome) if isinstance(outcome, Page) else _privately(self._app(_with(request, outcome)))

    async def _serve(self, request: HttpRequest, places: tuple[str, ...]) -> HttpResponseBase:
        outcome = await self.admit(_visit(request), places)
        return _answer(outcome) if isinstance(outcome, Page) else _privately(await self._app(_with(request, outcome)))


class Onboarding(onboarding.Onboarding):
    """The pages by which users connect. Its arguments are those of :class:`clio_nb.web.onboarding.Onboarding`."""

    @property
    def urls(self) -> list[URLPattern]:
        """The addresses, for ``path("clio/", include(onboarding.urls))``."""
        return [re_path("^(?P<route>[a-z]+)/?$", csrf_exempt(self._view))]

    def _view(self, request: HttpRequest, route: str) -> HttpResponse:
        length = request.headers.get("content-length", "0")
        body = request.body if length.isdigit() and int(length) <= onboarding.BODY_MAX else None
        return _answer(loop.run(self.respond, route, _visit(request), body))


def launch_of(request: HttpRequest) -> ProvedLaunch:
    """Return the launch that has led to this request.

    Args:
        request: What the view was called with.

    Returns:
        The proved launch; in an async view use its ``aio``.

    Raises:
        errors.NotAdmitted: No middleware guards this view, so nothing was proved.
    """
    return launch_in(request.META.get(KEY), request.path, ProvedLaunch)


def _visit(request: HttpRequest) -> Visit:
    headers = {name.lower(): value for name, value in request.headers.items()}
    path = quote(request.path, safe="/:@!$&'()*+,;=~")
    query = request.META.get("QUERY_STRING", "")
    return Visit(request.method or "", request.scheme or "", request.get_host(), path, query, headers)


def _with(request: HttpRequest, proved: AsyncProvedLaunch) -> HttpRequest:
    request.META[KEY] = ProvedLaunch.of(proved)
    return request


def _answer(page: Page) -> HttpResponse:
    location = dict(page.headers).get("location")  # Django's test client follows a redirect of this class only
    response = HttpResponse(page.body) if location is None else HttpResponseRedirect(location)
    response.status_code = page.status
    for name, value in page.headers:
        if name == "set-cookie":
            response.cookies.load(value)  # where other middlewares and the test client look for it
        else:
            response[name] = value
    return response


def _privately(response: HttpResponseBase) -> HttpResponseBase:
    """Add the headers of privacy to an answer that does not set them itself."""
    for name, value in PRIVATE:
        response.headers.setdefault(name, value)
    return response
