"""The proof of a launch: whose session, which action, and the one request that carries its nonce."""
