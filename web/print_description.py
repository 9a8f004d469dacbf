"""Print the API's description: ``python -m web.print_description > docs/openapi.json``, or ``make openapi``."""

from __future__ import annotations

import sys

from web.description.openapi import openapi_json
from web.routes import ROUTES

if __name__ == "__main__":
    sys.stdout.buffer.write(openapi_json(ROUTES, indent=True))
