"""One database for all that must be remembered: in memory, a SQLite file or PostgreSQL."""
