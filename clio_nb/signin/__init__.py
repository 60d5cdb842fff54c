"""Sign a user in: which Clio to go to (:func:`connect`), and the way through its consent page (:func:`login`)."""

from .attempt import Login, login, login_async
from .site import connect

__all__ = ["Login", "connect", "login", "login_async"]
