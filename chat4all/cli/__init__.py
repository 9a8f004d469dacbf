"""The command ``chat4all``. It needs click, and rich for progress bars."""
