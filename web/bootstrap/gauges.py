"""Gauges that are read from the services."""

from __future__ import annotations

from pathlib import Path

from app.process_readings import PROCESS_READINGS, free_ratio
from web.bootstrap.services import Services


def watch_services(services: Services) -> None:
    """Add the gauges that are read from services."""
    metrics, recent = services.metrics, services.adapters.recent
    for name, (doc, read) in PROCESS_READINGS.items():
        metrics.watch(name, doc, read)
    if services.settings.files == "local":
        files = Path(services.settings.files_dir).absolute()
        metrics.watch(
            "chat4all_disk_free_ratio", "Free space where the process keeps its data", lambda: free_ratio(files)
        )
    metrics.watch(
        "chat4all_password_hashes_waiting", "Passwords queued or being hashed.", lambda: services.passwords.waiting
    )
    metrics.watch(
        "chat4all_logins_throttled",
        "Logins refused because of wrong passwords before.",
        lambda: services.login_throttle.refused,
    )
    metrics.watch(
        "chat4all_requests_rate_limited",
        "Requests refused because a user or an address asks too often.",
        lambda: services.request_limits.refused,
    )
    metrics.watch(
        "chat4all_refresh_tokens_reused",
        "Sessions ended because a used refresh token came again.",
        lambda: services.sessions.reuses,
    )
    metrics.watch("chat4all_uploads_under_way", "Uploads being received.", lambda: services.upload_limit.under_way)
    metrics.watch(
        "chat4all_uploads_refused", "Uploads turned away for want of room.", lambda: services.upload_limit.refused
    )
    metrics.watch(
        "chat4all_transfers_bytes_per_second",
        "What files are held to, so that messages stay quick.",
        lambda: services.transfer_throttle.bytes_per_second,
    )
    metrics.watch("chat4all_downloads_under_way", "Downloads being sent.", lambda: services.download_limit.under_way)
    metrics.watch("chat4all_recent_messages", "Messages in the cache of recent ones.", lambda: len(recent))
    metrics.watch(
        "chat4all_follower_records_behind",
        "Records in Kafka that the API has yet to read.",
        services.adapters.tailer.records_behind,
    )
