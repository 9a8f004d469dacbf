"""Uploads: a request's bytes become parts in the store of files, and a row in the database says how far it is.

One engine serves forms (``form_upload``) and resumable uploads (``resumable``, tus): ``lease`` keeps the row for one
process, ``leased_upload`` appends bytes (``part_writer`` stores them), ``completing`` makes the file or deletes it.
An upload is resumable if its size was announced; otherwise one request sends all of it.

The invariants. The code refers to them by number; the sweeper (``app.file_sweep``) relies on them.

1. The row comes first. It is stored before the upload's first byte, names the keys of the bytes, and is never created
   again. So an object without a row is garbage.
2. Only the lease's holder changes the row: each change is a lightweight transaction on the holder's name. So a process
   that outlives its lease changes nothing; it gets ``LeaseLost``.
3. The row claims only durable bytes. The order is: store the incomplete part (the bytes after the last whole part),
   save the row's new offset, discard the previous incomplete part. So a client resumes at the row's offset.
4. A released lease leaves no part in flight: a late part could replace one of the next request. The parts of a process
   that outlives its lease may still land. So a checksum counts only if the object consists of exactly the parts that
   were hashed; otherwise the object is read back. Each offset has its own key for the incomplete part.
5. A file exists once its row says so, after its object is whole. Each step of completing can be repeated by another
   holder: if the upload in parts no longer exists and the object has all bytes, the object has been assembled.
6. After an unanswered write of the file's row the file may exist. Then its bytes are not deleted.
7. Deleting a resumable upload begins with its expiry (``Lease.abandon``). An expired upload is leased only to
   sweepers, and their leases end after the expiry. So its row can only be deleted, and a process that resumes late
   can still delete the bytes safely.
8. An upload of one request expires with its lease, so the sweeper finds its remains soon after its process has died.
   A resumable upload has its own expiry, which later bytes postpone.
"""
