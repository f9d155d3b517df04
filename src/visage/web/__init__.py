"""Flask and a WSGI server: the classic form, /v1, and what watches them. Its objects are handed to it."""
