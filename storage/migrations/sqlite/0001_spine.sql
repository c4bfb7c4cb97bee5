-- +goose Up
CREATE TABLE record (
    kind TEXT    NOT NULL,
    id   TEXT    NOT NULL,
    body BLOB    NOT NULL,
    seq  INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
);

CREATE TABLE event (
    seq     INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL, -- Unix milliseconds
    name    TEXT    NOT NULL,
    topic   TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    actor   TEXT    NOT NULL,
    data    BLOB    NOT NULL, -- empty when the event has none
    hash    BLOB    NOT NULL
);
CREATE INDEX event_topic ON event (topic, seq);
CREATE INDEX event_subject ON event (subject, seq);

CREATE TABLE effect (
    id        INTEGER PRIMARY KEY,
    kind      TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    lane      TEXT    NOT NULL,
    body      BLOB    NOT NULL,
    state     TEXT    NOT NULL,
    attempts  INTEGER NOT NULL DEFAULT 0,
    not_until INTEGER NOT NULL, -- Unix milliseconds, 0 for at once
    error     TEXT    NOT NULL DEFAULT '',
    created   INTEGER NOT NULL,
    settled   INTEGER NOT NULL DEFAULT 0 -- when it was done or given up; 0 before
);
CREATE UNIQUE INDEX effect_pending ON effect (kind, key) WHERE state = 'pending' AND key <> '';
CREATE INDEX effect_open ON effect (lane, id) WHERE state IN ('pending', 'running');
CREATE INDEX effect_settled ON effect (settled) WHERE settled > 0;

-- One row, written in every transaction: where the chain ends.
CREATE TABLE meta (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    last_seq    INTEGER NOT NULL,
    last_hash   BLOB    NOT NULL,
    last_effect INTEGER NOT NULL
);
INSERT INTO meta (one, last_seq, last_hash, last_effect) VALUES (1, 0, x'', 0);
