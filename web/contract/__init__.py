"""The bodies of requests and responses: schemas of requests and responses."""
