"""What is kept in SQLite files: the gallery on one machine."""
