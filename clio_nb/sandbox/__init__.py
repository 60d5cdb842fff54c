"""An embedded Clio for tests and notebooks: a stateful stand-in of the part of Clio Manage around custom actions.

``clio_nb.sandbox(...)`` starts one: in the package above, this room's name is its :class:`Sandbox`. It is not Clio, and
nothing for production.

From Python it is steered by ``site`` and ``host``. ``server`` accepts connections and hands each request on to the room
that answers it: ``api``, ``oauth``, ``control`` or ``screens``. Below them, ``world`` is what is true, ``firm`` how a
firm begins, ``faults`` what goes wrong on demand, ``http`` how requests and answers look, and ``assumptions`` what
nobody outside Clio knows. It shares nothing with the client but ``vocabulary``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
