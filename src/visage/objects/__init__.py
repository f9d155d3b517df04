"""Bytes under keys, in folders, in buckets and in memory."""
