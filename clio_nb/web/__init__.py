"""What a partner's server mounts: launches that come in, proved before the page runs (``asgi``, ``wsgi``)."""
