"""What may be cleared away of files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.file_sweeping import Verdict, is_believable, keys_of, verdict_on
from domain.files import PART_BYTES, File, FileMetadata, file_id_of, incomplete_part_key, staging_key, storage_key
from domain.ports import StoredObject, Upload

ID = "0198c0de-0000-7000-8000-000000000001"
KEY = storage_key("family", ID, "a.pdf")
UPLOAD = Upload(ID, "family", "u-1", "a.pdf", None, 0, 0, key=KEY)
FILE = File(ID, "family", "u-1", FileMetadata("a.pdf", 1, "application/pdf", "sha256:x", KEY), 0)


@pytest.mark.parametrize(
    ("key", "is_whole", "known", "verdict"),
    [
        (KEY, True, FILE, Verdict.KEEP),
        (KEY, False, FILE, Verdict.ABORT),
        (KEY, True, UPLOAD, Verdict.KEEP),
        (KEY, False, UPLOAD, Verdict.KEEP),
        (KEY, True, None, Verdict.DISCARD),
        (KEY, False, None, Verdict.DISCARD),
        (storage_key("other", ID, "a.pdf"), True, FILE, Verdict.DISCARD),
        (storage_key("family", ID, "a.txt"), True, FILE, Verdict.DISCARD),
        (storage_key("é/..", ID, ""), True, None, Verdict.DISCARD),
        (staging_key(ID), True, UPLOAD, Verdict.KEEP),
        (staging_key(ID), True, FILE, Verdict.DISCARD),
        (staging_key(ID), False, FILE, Verdict.DISCARD),
        (incomplete_part_key(ID, 7), True, UPLOAD, Verdict.KEEP),
        (incomplete_part_key(ID, 7), True, FILE, Verdict.DISCARD),
        (incomplete_part_key(ID, 7), True, None, Verdict.DISCARD),
        ("backup/db.tar.gz", True, None, Verdict.FOREIGN),
        ("readme", True, None, Verdict.FOREIGN),
        (f"deeper/family/{ID}.pdf", True, None, Verdict.FOREIGN),
        (ID, True, None, Verdict.FOREIGN),
        (f"family/{ID.upper()}x", True, None, Verdict.FOREIGN),
    ],
)
def test_only_what_is_ours_and_belongs_to_no_row_is_discarded(key, is_whole, known, verdict):
    assert verdict_on(StoredObject(key, 1, 0, is_whole), known) is verdict


def test_all_keys_of_an_upload_are_those_of_its_row_its_staging_and_its_tail():
    assert set(keys_of(UPLOAD)) == {KEY, staging_key(ID)}
    assert set(keys_of(replace(UPLOAD, offset_bytes=3 * PART_BYTES))) == {KEY, staging_key(ID)}
    end = 3 * PART_BYTES + 5
    assert set(keys_of(replace(UPLOAD, key="", offset_bytes=end))) == {staging_key(ID), incomplete_part_key(ID, end)}


def test_every_key_of_an_upload_leads_back_to_it():
    assert {file_id_of(key) for key in keys_of(UPLOAD)} == {ID}


@pytest.mark.parametrize(
    ("orphans", "owned", "believable"), [(0, 0, True), (20, 0, True), (21, 0, False), (21, 21, True), (500, 499, False)]
)
def test_more_orphans_than_files_are_not_believed(orphans, owned, believable):
    assert is_believable(orphans, owned) is believable
