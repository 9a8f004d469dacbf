"""Decides about deleting objects of the store. Pure functions."""

from __future__ import annotations

from enum import Enum

from domain.files import File, file_id_of, incomplete_part_key, staging_key
from domain.ids import is_uuid
from domain.ports.files import StoredObject, Upload

# says whose records the store belongs to
OWNER_KEY = ".uploads/owner"
# So many objects without a row are believed, however few objects there are. More of them than of those with a row are
# not: then it is rather the rows that are missing, such as after tables were restored from long ago.
_BELIEVED_ORPHANS = 20


class Decision(Enum):
    """The decision about an object in the store."""

    KEEP = "keep"
    FOREIGN = "foreign"  # not ours: another application uses the folder or bucket, too
    DISCARD = "discard"
    ABORT = "abort"  # an unfinished upload beside the whole object of the same key, which stays


def keys_of(upload: Upload, part_bytes: int) -> list[str]:
    """Return the keys of all objects of ``upload`` named by its row. ``part_bytes``: of its store.

    An object stored by a process that was killed before the row named it is an orphan once the row is gone.
    """
    keys = [staging_key(upload.upload_id)]
    if upload.key:
        keys.append(upload.key)
    if upload.offset_bytes % part_bytes:
        keys.append(incomplete_part_key(upload.upload_id, upload.offset_bytes))
    return keys


def decide(found: StoredObject, known: Upload | File | None) -> Decision:
    """Decide about ``found``, older than the grace period; ``known`` is the row of its file id, if any."""
    if not is_ours(found.key):
        return Decision.FOREIGN
    if isinstance(known, Upload):
        return Decision.KEEP  # it goes with its upload, or becomes the file
    if known is not None and not known.deleted_at_ms and known.metadata.storage_path == found.key:
        return Decision.KEEP if found.is_whole else Decision.ABORT
    return Decision.DISCARD


def is_ours(key: str) -> bool:
    """Return whether ``key`` can be one of a file of ours: "<segment>/<UUID>", perhaps with an ending."""
    return key.count("/") == 1 and is_uuid(file_id_of(key))


def is_believable(orphans: int, owned: int) -> bool:
    """Return whether ``orphans`` objects without a row are plausible beside ``owned`` objects with one."""
    return orphans <= max(_BELIEVED_ORPHANS, owned)
