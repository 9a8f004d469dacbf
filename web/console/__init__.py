"""The console: a page for people, served at ``/``. It is plain ES modules, and it calls the public API alone."""
