-- A gallery as the first schema had it, and nobody in it.
CREATE SCHEMA IF NOT EXISTS visage;
CREATE TABLE visage.gallery (
    schema integer NOT NULL,
    id text NOT NULL,
    changes bigint NOT NULL
);
INSERT INTO visage.gallery VALUES (1, gen_random_uuid()::text, 0);
CREATE TABLE visage.collections (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    model text NOT NULL,
    dimension integer NOT NULL,
    size bigint NOT NULL,
    version bigint NOT NULL
);
CREATE TABLE visage.people (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection bigint NOT NULL REFERENCES visage.collections,
    id text NOT NULL,
    name text NOT NULL,
    created double precision NOT NULL,
    UNIQUE (collection, id),
    UNIQUE (collection, name)
);
CREATE TABLE visage.faces (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection bigint NOT NULL REFERENCES visage.collections,
    person bigint NOT NULL REFERENCES visage.people,
    id text NOT NULL,
    changed bigint NOT NULL,
    vector bytea NOT NULL,
    landmarks bytea NOT NULL,
    source text NOT NULL,
    digest text NOT NULL,
    quality text NOT NULL,
    created double precision NOT NULL,
    UNIQUE (collection, id)
);
ALTER TABLE visage.faces ALTER COLUMN vector SET STORAGE EXTERNAL;
CREATE INDEX faces_by_collection ON visage.faces (collection, number);
CREATE INDEX faces_by_person ON visage.faces (person, number);
CREATE INDEX faces_by_change ON visage.faces (collection, changed);
CREATE TABLE visage.crops (
    face bigint PRIMARY KEY REFERENCES visage.faces ON DELETE CASCADE,
    jpeg bytea NOT NULL
);
ALTER TABLE visage.crops ALTER COLUMN jpeg SET STORAGE EXTERNAL;
