"""Paths of the API that more than the table of routes knows."""

from __future__ import annotations

MESSAGES_PATH = "/v1/messages"
BATCH_PATH = "/v1/messages/batch"
FILES_PATH = "/v1/files"
UPLOADS_PATH = "/v1/uploads"
