"""Where Kafka is and how to talk to it: the options that every client of aiokafka takes."""

from __future__ import annotations

import ssl
from typing import Any

from app.settings import Settings
from app.tls import client_context


def kafka_options(settings: Settings) -> dict[str, Any]:
    """Return the arguments of a producer, a consumer or an admin client that say where Kafka is, with TLS and SASL."""
    return {"bootstrap_servers": settings.kafka, **kafka_security(settings)}


def kafka_security(settings: Settings) -> dict[str, Any]:
    """Return the arguments for TLS and SASL: none where the settings ask for neither. Raises ``InvalidSetting``."""
    context, sasl = tls_context(settings), {}
    if settings.kafka_username:
        sasl = {
            "sasl_mechanism": settings.kafka_sasl,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_password,
        }
    if context is None and not sasl:
        return {}
    protocol = f"{'SASL_' if sasl else ''}{'PLAINTEXT' if context is None else 'SSL'}"
    return {"security_protocol": protocol, "ssl_context": context, **sasl}


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Return the context for Kafka, ``None`` without TLS. Raises ``InvalidSetting``."""
    s = settings
    return client_context("KAFKA", s.kafka_tls_ca, s.kafka_tls_certificate, s.kafka_tls_key)
