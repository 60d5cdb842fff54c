"""Sign a user in: which Clio to go to (:func:`connect`), and the way through its consent page (:func:`login`)."""

from .connect import connect
from .login import AsyncLogin, Login, login

__all__ = ["AsyncLogin", "Login", "connect", "login"]
