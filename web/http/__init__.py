"""HTTP: the parts shared by all routes."""
