"""Address and credentials of an S3, checked before the first request."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit, urlunsplit

from miniopy_async.credentials.credentials import Credentials
from miniopy_async.helpers import BaseURL, check_bucket_name
from miniopy_async.signer import presign_v4

LONGEST_LINK_SECONDS = 604_800  # S3's; 7 days


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Config:
    """``public_url``: the store's address for clients, if not ``url``. ``timeout_seconds`` bounds one call.

    Raises ``ValueError`` for an address other than "http[s]://host[:port]", or an invalid name of a bucket or region.
    """

    url: str
    bucket: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = "us-east-1"
    public_url: str = ""
    timeout_seconds: float = 30.0

    def __post_init__(self) -> None:
        for url in (self.url, self.public_url or self.url):
            try:
                base = BaseURL(url, self.region)
            except ValueError as error:
                raise ValueError(f"{url!r}: expected something like 'https://s3.example.org' ({error})") from None
            if not urlsplit(url).hostname:
                raise ValueError(f"{url!r}: expected something like 'https://s3.example.org'")
            check_bucket_name(self.bucket, strict=True, s3_check=base.is_aws_host)
        if not self.access_key or not self.secret_key:
            raise ValueError("an S3 needs an access key and a secret key")

    @property
    def is_secure(self) -> bool:
        """Whether it is https."""
        return urlsplit(self.url).scheme.lower() == "https"

    @property
    def endpoint(self) -> str:
        """Host and port."""
        return urlsplit(self.url).netloc

    def presigned(self, key: str, query: dict[str, str], seconds: int, now_ms: int) -> str:
        """Return a URL of the object, valid without credentials for ``seconds`` (7 days at most). Made offline."""
        base = BaseURL(self.public_url or self.url, self.region)
        region = base.region or self.region
        url = base.build("GET", region, self.bucket, key, dict(query))
        now = datetime.fromtimestamp(now_ms / 1000, UTC)
        lasting = max(1, min(seconds, LONGEST_LINK_SECONDS))
        return urlunsplit(presign_v4("GET", url, region, Credentials(self.access_key, self.secret_key), now, lasting))
