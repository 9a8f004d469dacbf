"""TLS to Kafka and Cassandra: contexts from files of certificates."""

from __future__ import annotations

import ssl
from functools import lru_cache

from app.settings import InvalidSetting

SYSTEM = "system"


@lru_cache(maxsize=8)
def client_context(name: str, ca: str, certificate: str, key: str) -> ssl.SSLContext | None:
    """Return the context of a client, ``None`` without ``ca``: then there is no TLS.

    ``ca``: a file of certificates in PEM, or ``SYSTEM``. ``certificate``, ``key``: of the client, empty for none. The
    server's certificate and host name are always checked. ``name`` begins the settings, for errors. Raises
    ``InvalidSetting`` for a file that cannot be read.
    """
    if not ca:
        return None
    try:
        context = ssl.create_default_context(cafile=None if ca == SYSTEM else ca)
    except (OSError, ssl.SSLError) as error:
        raise InvalidSetting(f"CHAT4ALL_{name}_TLS_CA={ca}: {error}") from None
    if certificate:
        try:
            context.load_cert_chain(certificate, key or None)
        except (OSError, ssl.SSLError) as error:
            raise InvalidSetting(f"CHAT4ALL_{name}_TLS_CERTIFICATE={certificate}: {error}") from None
    return context
