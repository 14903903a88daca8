CREATE SCHEMA identity;

CREATE TABLE identity.accounts (
    id         uuid        PRIMARY KEY,
    name       text        NOT NULL UNIQUE,
    address    text        NOT NULL UNIQUE,
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE identity.accounts IS 'Billing and authorisation principals';
COMMENT ON COLUMN identity.accounts.address IS 'Public ledger address, fog1 followed by 38 characters of base32';

CREATE TABLE identity.access_keys (
    id          uuid        PRIMARY KEY,
    account_id  uuid        NOT NULL REFERENCES identity.accounts (id),
    kind        text        NOT NULL CHECK (kind IN ('ApiKey', 'EnrolmentToken')),
    name        text        NOT NULL,
    secret_hash bytea       NOT NULL UNIQUE,
    permissions text[]      NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz,
    revoked_at  timestamptz
);
COMMENT ON TABLE identity.access_keys IS 'Secrets that speak for an account: API keys, and enrolment tokens that may only register a device';
COMMENT ON COLUMN identity.access_keys.secret_hash IS 'SHA-256 of the 256-bit random secret; the secret itself is shown once and never stored';
