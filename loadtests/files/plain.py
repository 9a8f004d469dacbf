"""The ``minio`` client library alone, in a separate process: the store's speed without Chat4All.

    python -m loadtests.files.plain http://127.0.0.1:9000 ACCESS_KEY SECRET_KEY BYTES

Prints one JSON object: ``up_seconds`` of ``put_object`` with its defaults, ``down_seconds`` of ``get_object`` with a
SHA-256 of what comes.
"""

from __future__ import annotations

import hashlib
import json
import sys
import uuid
from time import perf_counter
from typing import BinaryIO, cast
from urllib.parse import urlsplit

from minio import Minio

from loadtests.files.content import Reader, checksum_of

_CHUNK_BYTES = 1 << 20


def measure(url: str, access_key: str, secret_key: str, size_bytes: int) -> dict[str, float]:
    client = Minio(urlsplit(url).netloc, access_key, secret_key, secure=False)
    bucket = f"plain-{uuid.uuid4().hex[:12]}"
    client.make_bucket(bucket)
    try:
        began = perf_counter()
        client.put_object(bucket, "large.bin", cast("BinaryIO", Reader(size_bytes)), size_bytes)
        up_seconds = perf_counter() - began
        found = hashlib.sha256()
        began = perf_counter()
        answer = client.get_object(bucket, "large.bin")
        for chunk in answer.stream(_CHUNK_BYTES):
            found.update(chunk)
        down_seconds = perf_counter() - began
        answer.close()
        assert f"sha256:{found.hexdigest()}" == checksum_of(size_bytes), "the library itself lost something"
    finally:
        client.remove_object(bucket, "large.bin")
        client.remove_bucket(bucket)
    return {"up_seconds": up_seconds, "down_seconds": down_seconds}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))))
