"""How a launch is proved: whose session, which action, and the one request that carries its nonce."""
