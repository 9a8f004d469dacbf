"""Files that are whole: finding, sending and deleting them."""
