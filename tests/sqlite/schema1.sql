-- A gallery as the first schema had it: its own file's tables, and nobody in them.
CREATE TABLE collections (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    model TEXT NOT NULL,
    dimension INTEGER NOT NULL,
    size INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE TABLE people (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collections,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    created REAL NOT NULL,
    UNIQUE (collection, id),
    UNIQUE (collection, name)
) STRICT;
CREATE TABLE faces (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collections,
    person INTEGER NOT NULL REFERENCES people,
    id TEXT NOT NULL,
    changed INTEGER NOT NULL,
    vector BLOB NOT NULL,
    landmarks BLOB NOT NULL,
    source TEXT NOT NULL,
    digest TEXT NOT NULL,
    quality TEXT NOT NULL,
    created REAL NOT NULL,
    UNIQUE (collection, id)
) STRICT;
CREATE INDEX faces_by_collection ON faces (collection);
CREATE INDEX faces_by_person ON faces (person);
CREATE INDEX faces_by_change ON faces (collection, changed);
CREATE TABLE crops (
    face INTEGER PRIMARY KEY REFERENCES faces ON DELETE CASCADE,
    jpeg BLOB NOT NULL
) STRICT;
CREATE TABLE wipe (owed INTEGER NOT NULL) STRICT;
INSERT INTO wipe VALUES (0);
PRAGMA application_id = 1448298289;
PRAGMA user_version = 1;
