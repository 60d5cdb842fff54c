"""The screens: Clio's interface as a user of the demo firm sees it, as far as custom actions need it.

Plain pages from templates, no script. ``/`` asks whom you want to be; everything under ``/as/USER_ID/`` is that user's,
so two tabs can be two users, and there is no cookie. ``/developer`` shows and steers the sandbox itself.
"""

from __future__ import annotations

from typing import Final

from . import app_integrations, apps, developer, people, records

ROUTES: Final = [*people.ROUTES, *developer.ROUTES, *app_integrations.ROUTES, *apps.ROUTES, *records.ROUTES]
"""For Starlette. The more special ones come first."""
