"""The command ``chat4all``: what it needs beyond the library is click, and rich for bars."""
