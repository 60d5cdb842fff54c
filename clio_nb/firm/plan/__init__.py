"""What a manifest would change: compared with what is there, item by item. Nothing here writes."""
