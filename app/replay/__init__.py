"""Reads the topics again: a span of records as a timeline, and the state of messages at a past moment."""
