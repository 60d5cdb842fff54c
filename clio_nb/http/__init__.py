"""The way to Clio: messages as pure functions, one engine, one loop, one budget of requests for each token."""
