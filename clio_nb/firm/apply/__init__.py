"""Carry out a plan, and remember what was done."""
