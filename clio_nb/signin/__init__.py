"""Sign a user in: which Clio to go to (:func:`connect`), and the way through its consent page (:func:`login`)."""

from .attempt import AsyncLogin, Login, login
from .site import connect

__all__ = ["AsyncLogin", "Login", "connect", "login"]
