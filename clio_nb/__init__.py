"""Custom actions in Clio Manage, explored in Jupyter.

Sign a user in, create actions in Clio's menus, read the launches that clicks send, prove that they are genuine, and see
who in the firm has which action. ``clio_nb.sandbox()`` is an embedded Clio, so that all of it runs with no account.

Everything is imported on first use: ``import clio_nb`` loads neither pandas, nor ipywidgets, nor an HTTP client.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
