"""One module a part of the contract; each handler is named after what it does."""
