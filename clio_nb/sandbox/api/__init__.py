"""The API: what Clio declares (``catalogue``), and how a request to it is answered, from ``endpoints`` on."""
