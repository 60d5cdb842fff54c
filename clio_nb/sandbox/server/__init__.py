"""The server: connections within bounds, and each request handed on to the room that answers it."""
