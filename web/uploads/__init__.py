"""Files on their way in: bytes to parts, parts to the store, and a row that says how far it is."""
