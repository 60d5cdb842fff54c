"""The ledger: what was done at Clio, what is being done, and what is ours, in the same database as the tokens."""
