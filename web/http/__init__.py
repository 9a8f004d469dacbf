"""Requests and answers: what every route shares."""
