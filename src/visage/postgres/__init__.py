"""What is kept in PostgreSQL: the gallery that many write to. psycopg speaks to it, and is imported nowhere else."""
