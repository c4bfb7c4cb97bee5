-- +goose Up
CREATE TABLE record (
    kind TEXT COLLATE "C" NOT NULL,
    id   TEXT COLLATE "C" NOT NULL,
    body BYTEA  NOT NULL,
    seq  BIGINT NOT NULL,
    PRIMARY KEY (kind, id)
);

CREATE TABLE event (
    seq     BIGINT PRIMARY KEY,
    at      BIGINT NOT NULL, -- Unix milliseconds
    name    TEXT   NOT NULL,
    topic   TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    actor   TEXT   NOT NULL,
    data    BYTEA  NOT NULL, -- empty when the event has none
    hash    BYTEA  NOT NULL
);
CREATE INDEX event_topic ON event (topic, seq);
CREATE INDEX event_subject ON event (subject, seq);

CREATE TABLE effect (
    id        BIGINT PRIMARY KEY,
    kind      TEXT COLLATE "C" NOT NULL,
    key       TEXT COLLATE "C" NOT NULL,
    lane      TEXT COLLATE "C" NOT NULL,
    body      BYTEA  NOT NULL,
    state     TEXT   NOT NULL,
    attempts  BIGINT NOT NULL DEFAULT 0,
    not_until BIGINT NOT NULL, -- Unix milliseconds, 0 for at once
    error     TEXT   NOT NULL DEFAULT '',
    created   BIGINT NOT NULL,
    settled   BIGINT NOT NULL DEFAULT 0 -- when it was done or given up; 0 before
);
CREATE UNIQUE INDEX effect_pending ON effect (kind, key) WHERE state = 'pending' AND key <> '';
CREATE INDEX effect_open ON effect (lane, id) WHERE state IN ('pending', 'running');
CREATE INDEX effect_settled ON effect (settled) WHERE settled > 0;

-- One row, written in every transaction: where the chain ends.
CREATE TABLE meta (
    one         BIGINT PRIMARY KEY CHECK (one = 1),
    last_seq    BIGINT NOT NULL,
    last_hash   BYTEA  NOT NULL,
    last_effect BIGINT NOT NULL
);
INSERT INTO meta (one, last_seq, last_hash, last_effect) VALUES (1, 0, ''::bytea, 0);
