"""The demo firms at their beginning: invented people and records, drawn from the seed."""
