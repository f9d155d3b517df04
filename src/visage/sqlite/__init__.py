"""What is kept in SQLite files: the gallery and the queue on one machine."""
