"""Launches of custom actions: inspect a launch URL, have Clio confirm it, collect launches, and replay them.

In a server: :class:`clio_nb.web.asgi.LaunchMiddleware` and :class:`clio_nb.web.wsgi.LaunchMiddleware`.
Each name is imported on first use, so a server that only verifies launches loads neither pandas nor ipywidgets.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
