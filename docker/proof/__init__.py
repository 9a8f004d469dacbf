"""Proves ``docker/`` on a machine without an image registry: ``docker/prove``.

The images of third parties are replaced by stand-ins from Debian's packages and from the archives that
``chat4all stack fetch`` brings. Everything else is what a user gets: the Dockerfile, the compose file, nginx's files.
"""
