"""The control endpoints: what only a test may do, over HTTP."""
