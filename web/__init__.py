"""The door: a thin HTTP API over the pipeline. It belongs to no role and keeps answering while workers recover."""
