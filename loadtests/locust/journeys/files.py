"""Files: uploaded, sent to a person on a channel, downloaded and compared."""

from __future__ import annotations

import hashlib
import os
import random
import time

import orjson

from loadtests.locust.journeys.base import Journey
from loadtests.locust.run_state import RUN
from loadtests.orders import Order, address_on

LEAST_BYTES, MOST_BYTES = 16 << 10, 512 << 10
_BOUNDARY = "chat4all-load-boundary"


class FileSender(Journey):
    """Sends one file a turn. A download whose bytes differ is an error."""

    label = "files"
    weight = 1
    turns_of_a_texter = 4.0

    def prepare(self) -> None:
        self.conversation_id = RUN.conversation(self.account)
        self.recipient_id = address_on(RUN.number())
        document = {"conversation_id": self.conversation_id, "participants": [self.recipient_id]}
        self.call("POST", "/v1/conversations", document)

    def turn(self, due: float) -> None:
        content = os.urandom(random.randint(LEAST_BYTES, MOST_BYTES))
        headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
        response = self.call("POST", "/v1/files", headers=headers, data=_form(self.conversation_id, content))
        if not self.timed("POST /v1/files", due, response, 201):
            return
        file_id = str(orjson.loads(response.content)["file_id"])
        order = Order(self.conversation_id, self.recipient_id, self.text())
        body = {"conversation_id": order.conversation_id, "recipient_id": order.recipient_id, "content": order.content}
        self.send({**body, "file_id": file_id}, order, time.monotonic())
        self._download(file_id, content)

    def _download(self, file_id: str, content: bytes) -> None:
        due = time.monotonic()
        response = self.call("GET", f"/v1/files/{file_id}/content", name="/v1/files/{id}/content")
        error = "" if response.status_code == 200 else f"status {response.status_code}"
        if not error and hashlib.sha256(response.content or b"").digest() != hashlib.sha256(content).digest():
            error = "other bytes than were uploaded"
        RUN.recorder.note("GET file", due, time.monotonic(), error)


def _form(conversation_id: str, content: bytes) -> bytes:
    """Return the body of an upload: the conversation, then the file."""
    return (
        (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="conversation_id"\r\n\r\n{conversation_id}\r\n'
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="load.bin"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        + content
        + f"\r\n--{_BOUNDARY}--\r\n".encode()
    )
