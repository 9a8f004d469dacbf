"""The API described, as OpenAPI and as a page."""
