-- Every event, as it was appended. The hash is over the other columns, byte for byte, and the
-- hash of the event before; package journal documents the formula.
CREATE TABLE event (
    seq  INTEGER PRIMARY KEY,
    time TEXT NOT NULL,
    by   TEXT NOT NULL,
    name TEXT NOT NULL,
    body BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;

-- What the last event is: written with it, so that an end that is cut off is noticed.
CREATE TABLE head (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    seq  INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;
INSERT INTO head (id, seq, hash) VALUES (1, 0, zeroblob(32));

-- The newest snapshots of the state. chain is the hash of the event that a snapshot follows.
CREATE TABLE snapshot (
    seq    INTEGER PRIMARY KEY,
    format INTEGER NOT NULL,
    chain  BLOB NOT NULL,
    sum    BLOB NOT NULL,
    data   BLOB NOT NULL
) STRICT;
