"""An embedded Clio for tests and notebooks: a stateful stand-in of the part of Clio Manage around custom actions.

The module can be called: ``with clio_nb.sandbox() as site: ...``. It is not Clio, and nothing for production.

From Python it is steered by ``site`` and ``host``. ``server`` accepts connections and hands each request on to the room
that answers it: ``api``, ``oauth``, ``control`` or ``screens``. Below them, ``world`` is what is true, ``firm`` how a
firm begins, ``faults`` what goes wrong on demand, ``http`` how requests and answers look, and ``assumptions`` what
nobody outside Clio knows. It shares nothing with the client but ``places``.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .assumptions import Assumptions
    from .faults import Fault
    from .host import Host
    from .server.server import PortInUse
    from .site import Sandbox

_HOMES = {
    "Sandbox": "site",
    "Host": "host",
    "PortInUse": "server.server",
    "Fault": "faults",
    "Assumptions": "assumptions",
}

__all__ = ["Assumptions", "Fault", "Host", "PortInUse", "Sandbox"]


def __getattr__(name: str) -> Any:
    """Fetch a public name on first use, so that the pytest plugin costs nothing where it is not used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)


class _Callable(ModuleType):
    """This module, which can be called."""

    def __call__(self, **options: Any) -> Sandbox:
        """Start a sandbox. The options are those of :class:`Sandbox`."""
        from .site import Sandbox  # noqa: PLC0415 - on first use

        return Sandbox(**options)


sys.modules[__name__].__class__ = _Callable
