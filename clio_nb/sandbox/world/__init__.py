"""What is true in a sandbox: the firm, its records, custom actions, grants, nonces, and the clock; and what is kept."""
