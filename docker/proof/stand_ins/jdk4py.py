"""Stands in for the wheel of that name: the Java runtime is Debian's."""

JAVA = "/usr/bin/java"
