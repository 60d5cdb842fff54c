"""Launches of custom actions: inspect a launch URL, have Clio confirm it, collect launches, and replay them.

In a server: the ``LaunchMiddleware`` of :mod:`clio_nb.web.asgi`, ``wsgi`` and ``django``.
Each name is imported on first use, so a server that only verifies launches loads neither pandas nor ipywidgets.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
