"""Paths of the API used outside the table of routes."""

from __future__ import annotations

MESSAGES_PATH = "/v1/messages"
BATCH_PATH = "/v1/messages/batch"
FILES_PATH = "/v1/files"
UPLOADS_PATH = "/v1/uploads"
