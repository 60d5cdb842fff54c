"""The version of this package, which stands in its metadata and nowhere else."""

from importlib.metadata import version

__version__ = version("clio-nb")
