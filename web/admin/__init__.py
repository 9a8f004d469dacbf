"""The operators' room: dead letters, and the accounts of channels. It reads topics and writes commands to topics."""
