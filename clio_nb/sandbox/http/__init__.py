"""Requests and answers as data: read with bounds, decoded strictly, and who may ask."""
