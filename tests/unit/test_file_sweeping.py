"""What may be cleared away of files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.file_sweeping import Decision, decide, is_believable, keys_of
from domain.files import PART_BYTES, File, FileMetadata, file_id_of, incomplete_part_key, staging_key, storage_key
from domain.ports import StoredObject, Upload

ID = "0198c0de-0000-7000-8000-000000000001"
KEY = storage_key("family", ID, "a.pdf")
UPLOAD = Upload(ID, "family", "u-1", "a.pdf", None, 0, 0, key=KEY)
FILE = File(ID, "family", "u-1", FileMetadata("a.pdf", 1, "application/pdf", "sha256:x", KEY), 0)


@pytest.mark.parametrize(
    ("key", "is_whole", "known", "decision"),
    [
        (KEY, True, FILE, Decision.KEEP),
        (KEY, False, FILE, Decision.ABORT),
        (KEY, True, UPLOAD, Decision.KEEP),
        (KEY, False, UPLOAD, Decision.KEEP),
        (KEY, True, None, Decision.DISCARD),
        (KEY, False, None, Decision.DISCARD),
        (storage_key("other", ID, "a.pdf"), True, FILE, Decision.DISCARD),
        (storage_key("family", ID, "a.txt"), True, FILE, Decision.DISCARD),
        (storage_key("é/..", ID, ""), True, None, Decision.DISCARD),
        (staging_key(ID), True, UPLOAD, Decision.KEEP),
        (staging_key(ID), True, FILE, Decision.DISCARD),
        (staging_key(ID), False, FILE, Decision.DISCARD),
        (incomplete_part_key(ID, 7), True, UPLOAD, Decision.KEEP),
        (incomplete_part_key(ID, 7), True, FILE, Decision.DISCARD),
        (incomplete_part_key(ID, 7), True, None, Decision.DISCARD),
        ("backup/db.tar.gz", True, None, Decision.FOREIGN),
        ("readme", True, None, Decision.FOREIGN),
        (f"deeper/family/{ID}.pdf", True, None, Decision.FOREIGN),
        (ID, True, None, Decision.FOREIGN),
        (f"family/{ID.upper()}x", True, None, Decision.FOREIGN),
    ],
)
def test_only_what_is_ours_and_belongs_to_no_row_is_discarded(key, is_whole, known, decision):
    assert decide(StoredObject(key, 1, 0, is_whole), known) is decision


def test_all_keys_of_an_upload_are_those_of_its_row_its_staging_and_its_tail():
    assert set(keys_of(UPLOAD, PART_BYTES)) == {KEY, staging_key(ID)}
    assert set(keys_of(replace(UPLOAD, offset_bytes=3 * PART_BYTES), PART_BYTES)) == {KEY, staging_key(ID)}
    end = 3 * PART_BYTES + 5
    assert set(keys_of(replace(UPLOAD, key="", offset_bytes=end), PART_BYTES)) == {
        staging_key(ID),
        incomplete_part_key(ID, end),
    }


def test_every_key_of_an_upload_leads_back_to_it():
    assert {file_id_of(key) for key in keys_of(UPLOAD, PART_BYTES)} == {ID}


@pytest.mark.parametrize(
    ("orphans", "owned", "believable"), [(0, 0, True), (20, 0, True), (21, 0, False), (21, 21, True), (500, 499, False)]
)
def test_more_orphans_than_files_are_not_believed(orphans, owned, believable):
    assert is_believable(orphans, owned) is believable
