"""HTTP calls of connectors: one client for each account, with bounds, times for the trace, and redaction."""

from channels.http.client import Answer, HttpClient
from channels.http.redaction import Redaction

__all__ = ["Answer", "HttpClient", "Redaction"]
