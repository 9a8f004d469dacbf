"""Fuzzing of every parser that faces outside: clients, providers, proxies."""
