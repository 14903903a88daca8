-- Content-addressed artifacts: the bytes are files, these tables say which exist and who may read them.
CREATE SCHEMA artifacts;

CREATE TABLE artifacts.blobs (
    sha256     bytea       PRIMARY KEY CHECK (octet_length(sha256) = 32),
    size_bytes bigint      NOT NULL CHECK (size_bytes >= 0),
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE artifacts.blobs IS 'Contents that are completely on disk and whose hash was verified';

CREATE TABLE artifacts.grants (
    sha256     bytea       NOT NULL REFERENCES artifacts.blobs (sha256),
    account_id uuid        NOT NULL REFERENCES identity.accounts (id),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (sha256, account_id)
);
COMMENT ON TABLE artifacts.grants IS 'An account reads only what it uploaded itself or what its own jobs produced';
CREATE INDEX grants_account ON artifacts.grants (account_id, created_at);
