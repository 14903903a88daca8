-- The whole current schema. Generated from the migrations by ./dev db schema; never edited by hand.

CREATE SCHEMA identity;

CREATE SCHEMA platform;

CREATE TABLE identity.access_keys (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    secret_hash bytea NOT NULL,
    permissions text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT access_keys_kind_check CHECK ((kind = ANY (ARRAY['ApiKey'::text, 'EnrolmentToken'::text])))
);

COMMENT ON TABLE identity.access_keys IS 'Secrets that speak for an account: API keys, and enrolment tokens that may only register a device';

COMMENT ON COLUMN identity.access_keys.secret_hash IS 'SHA-256 of the 256-bit random secret; the secret itself is shown once and never stored';

CREATE TABLE identity.accounts (
    id uuid NOT NULL,
    name text NOT NULL,
    address text NOT NULL,
    created_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE identity.accounts IS 'Billing and authorisation principals';

COMMENT ON COLUMN identity.accounts.address IS 'Public ledger address, fog1 followed by 38 characters of base32';

CREATE TABLE platform.idempotency_keys (
    account_id uuid NOT NULL,
    command text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    answer jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE platform.idempotency_keys IS 'Answers of commands that callers may repeat under a key; written in the transaction of the command itself';

COMMENT ON COLUMN platform.idempotency_keys.fingerprint IS 'SHA-256 of the message: the same key with another message is refused';

CREATE TABLE platform.recurring_jobs (
    name text NOT NULL,
    last_started_at timestamp with time zone,
    last_finished_at timestamp with time zone,
    last_error text,
    runs bigint DEFAULT 0 NOT NULL,
    failures bigint DEFAULT 0 NOT NULL
);

COMMENT ON TABLE platform.recurring_jobs IS 'Last run of each row of RecurringJobTable, whichever control-plane process ran it';

CREATE TABLE platform.schema_migrations (
    number integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    duration_ms bigint NOT NULL
);

COMMENT ON TABLE platform.schema_migrations IS 'Migrations applied to this database; written by the migrator, never by hand';

COMMENT ON COLUMN platform.schema_migrations.checksum IS 'SHA-256 of the file: one that changed after it was applied is refused';

ALTER TABLE ONLY identity.access_keys
    ADD CONSTRAINT access_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY identity.access_keys
    ADD CONSTRAINT access_keys_secret_hash_key UNIQUE (secret_hash);

ALTER TABLE ONLY identity.accounts
    ADD CONSTRAINT accounts_address_key UNIQUE (address);

ALTER TABLE ONLY identity.accounts
    ADD CONSTRAINT accounts_name_key UNIQUE (name);

ALTER TABLE ONLY identity.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY platform.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (account_id, command, key);

ALTER TABLE ONLY platform.recurring_jobs
    ADD CONSTRAINT recurring_jobs_pkey PRIMARY KEY (name);

ALTER TABLE ONLY platform.schema_migrations
    ADD CONSTRAINT schema_migrations_name_key UNIQUE (name);

ALTER TABLE ONLY platform.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (number);

CREATE INDEX idempotency_keys_by_age ON platform.idempotency_keys USING btree (created_at);

COMMENT ON INDEX platform.idempotency_keys_by_age IS 'Finds the keys that ForgetIdempotencyKeys deletes after 24 h';

ALTER TABLE ONLY identity.access_keys
    ADD CONSTRAINT access_keys_account_id_fkey FOREIGN KEY (account_id) REFERENCES identity.accounts(id);
