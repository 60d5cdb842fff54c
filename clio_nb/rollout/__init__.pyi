from . import view as view
