"""For the tests of your own app: the pytest plugin is :mod:`clio_nb.testing.fixtures`."""
