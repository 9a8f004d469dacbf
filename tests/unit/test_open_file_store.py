"""Which store of files the settings choose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.files import open_file_store
from app.settings import InvalidSetting, Settings
from domain.files import File, FileMetadata
from storage.local_files import LocalFileStore
from storage.s3 import S3FileStore

SETTINGS = Settings(jwt_secret="a secret of at least thirty-two characters", public_url="https://chat.example")
FILE = File("f-1", "c-1", "u-1", FileMetadata("a.bin", 1, "text/plain", "sha256:" + "0" * 64, "c-1/f-1.bin"), 0)


def test_a_folder_is_the_default():
    store = open_file_store(SETTINGS)
    assert isinstance(store, LocalFileStore)
    assert store.link(FILE, 60, 0).startswith("https://chat.example/v1/files/f-1/link?expires=60&")


def test_an_s3_is_chosen_and_links_lead_to_its_public_address():
    store = open_file_store(replace(SETTINGS, files="s3", s3_public_url="https://files.example"))
    assert isinstance(store, S3FileStore)
    assert store.link(FILE, 60, 0).startswith("https://files.example/chat4all-files/c-1/f-1.bin?")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"files": "disk"}, "CHAT4ALL_FILES="),
        ({"files": ""}, "CHAT4ALL_FILES="),
        ({"files_max_bytes": 0}, "CHAT4ALL_FILES_MAX_BYTES"),
        ({"files_max_bytes": 2**40}, "CHAT4ALL_FILES_MAX_BYTES"),
        ({"files": "s3", "files_max_bytes": 6 * 2**30}, "CHAT4ALL_FILES_MAX_BYTES"),
        ({"files": "s3", "s3_bucket": "No"}, "CHAT4ALL_S3"),
        ({"files": "s3", "s3_bucket": "../a"}, "CHAT4ALL_S3"),
        ({"files": "s3", "s3_bucket": "192.168.1.1"}, "CHAT4ALL_S3"),
        ({"files": "s3", "s3_url": "127.0.0.1:9000"}, "CHAT4ALL_S3"),
        ({"files": "s3", "s3_url": "http://"}, "CHAT4ALL_S3"),
        ({"files": "s3", "s3_url": "http://host/path"}, "CHAT4ALL_S3"),
        ({"files": "s3", "s3_url": "http://user:pw@host"}, "CHAT4ALL_S3"),
        ({"files": "s3", "s3_public_url": "ftp://host"}, "CHAT4ALL_S3"),
        ({"files": "s3", "s3_region": "not a region"}, "CHAT4ALL_S3"),
        ({"files": "s3", "s3_access_key": ""}, "CHAT4ALL_S3"),
        ({"files": "s3", "files_channel_link_seconds": 604_801}, "CHAT4ALL_FILES_CHANNEL_LINK_SECONDS"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_its_name(changes, named):
    with pytest.raises(InvalidSetting, match=named):
        open_file_store(replace(SETTINGS, **changes))


def test_secrets_are_in_no_text():
    config = open_file_store(replace(SETTINGS, files="s3", s3_secret_key="hush-hush-hush"))._config
    assert "hush" not in repr(config)
