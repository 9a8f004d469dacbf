"""One module for each part of the contract; each handler is named after its operation."""
