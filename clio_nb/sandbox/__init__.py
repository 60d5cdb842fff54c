"""An embedded Clio for tests and notebooks: a stateful stand-in of the part of Clio Manage around custom actions.

``clio_nb.sandbox(...)`` starts one: in the package above, this room's name is its :class:`Sandbox`. It is not Clio, and
nothing for production.

Its rooms: ``site`` and ``host`` (Python), ``server`` and ``app`` (HTTP), ``api``, ``oauth``, ``control``, ``screens``
(what is answered), ``world`` and ``state`` (what is true), ``firm`` and ``catalogue`` (the data), ``faults`` (what goes
wrong on demand), ``assumptions`` (what nobody outside Clio knows). It shares nothing with the client but ``places``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
