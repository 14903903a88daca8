-- What every module leans on: remembered answers of idempotent commands and the history of recurring jobs.
CREATE SCHEMA IF NOT EXISTS platform; -- the migrator made it for its own table

CREATE TABLE platform.idempotency_keys (
    account_id  uuid        NOT NULL,
    command     text        NOT NULL,
    key         text        NOT NULL,
    fingerprint bytea       NOT NULL,
    answer      jsonb,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, command, key)
);
COMMENT ON TABLE platform.idempotency_keys IS 'Answers of commands that callers may repeat under a key; written in the transaction of the command itself';
COMMENT ON COLUMN platform.idempotency_keys.fingerprint IS 'SHA-256 of the message: the same key with another message is refused';

CREATE TABLE platform.recurring_jobs (
    name             text        PRIMARY KEY,
    last_started_at  timestamptz,
    last_finished_at timestamptz,
    last_error       text,
    runs             bigint      NOT NULL DEFAULT 0,
    failures         bigint      NOT NULL DEFAULT 0
);
COMMENT ON TABLE platform.recurring_jobs IS 'Last run of each row of RecurringJobTable, whichever control-plane process ran it';
CREATE INDEX idempotency_keys_by_age ON platform.idempotency_keys (created_at);
COMMENT ON INDEX platform.idempotency_keys_by_age IS 'Finds the keys that ForgetIdempotencyKeys deletes after 24 h';
