"""What clients send and get: schemas of requests and responses."""
