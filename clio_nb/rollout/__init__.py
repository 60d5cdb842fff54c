"""What every user of a firm should see: written down, compared with what is there, and made so."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
