-- People: users with their password and second factor, sessions, failed logins, password resets, the first-run link.

CREATE TABLE identity.users (
    account_id          uuid        PRIMARY KEY REFERENCES identity.accounts (id),
    email               text        NOT NULL,
    email_key           text        NOT NULL UNIQUE,
    password_hash       text        NOT NULL,
    roles               text[]      NOT NULL,
    is_active           boolean     NOT NULL,
    created_at          timestamptz NOT NULL,
    password_changed_at timestamptz NOT NULL,
    totp_secret         bytea,
    totp_step           bigint      NOT NULL,
    mfa_since           timestamptz
);
COMMENT ON TABLE identity.users IS 'People who log in: one per account, whose name is the user name';
COMMENT ON COLUMN identity.users.email_key IS 'The address in lower case: unique whatever the case';
COMMENT ON COLUMN identity.users.password_hash IS 'PBKDF2-HMAC-SHA512 with salt and iterations, base64 (format 3 of ASP.NET Core Identity)';
COMMENT ON COLUMN identity.users.totp_secret IS 'Shared with the authenticator app; counts once mfa_since is set';
COMMENT ON COLUMN identity.users.totp_step IS 'Latest 30 s step whose code was used; neither it nor an earlier one is taken again';

CREATE TABLE identity.recovery_codes (
    account_id uuid  NOT NULL REFERENCES identity.users (account_id) ON DELETE CASCADE,
    code_hash  bytea NOT NULL CHECK (length(code_hash) = 32),
    PRIMARY KEY (account_id, code_hash)
);
COMMENT ON TABLE identity.recovery_codes IS 'SHA-256 of the recovery codes that are left; a used one is deleted';

CREATE TABLE identity.sessions (
    id           uuid        PRIMARY KEY,
    account_id   uuid        NOT NULL REFERENCES identity.users (account_id),
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    end_reason   text,
    peer         text,
    agent        text
);
CREATE INDEX sessions_of_account ON identity.sessions (account_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_by_end ON identity.sessions (expires_at);
COMMENT ON TABLE identity.sessions IS 'One login and everything that was refreshed from it; ends whole';
COMMENT ON COLUMN identity.sessions.last_used_at IS 'Login or latest refresh';
COMMENT ON COLUMN identity.sessions.expires_at IS 'Absolute end, 30 days after the login';
COMMENT ON COLUMN identity.sessions.peer IS 'Address of the login';
COMMENT ON COLUMN identity.sessions.agent IS 'User-Agent of the login';

CREATE TABLE identity.session_tokens (
    secret_hash bytea       PRIMARY KEY CHECK (length(secret_hash) = 32),
    session_id  uuid        NOT NULL REFERENCES identity.sessions (id) ON DELETE CASCADE,
    kind        text        NOT NULL,
    issued_at   timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz
);
CREATE INDEX session_tokens_of_session ON identity.session_tokens (session_id);
CREATE INDEX session_tokens_by_expiry ON identity.session_tokens (expires_at);
COMMENT ON TABLE identity.session_tokens IS 'SHA-256 of access and refresh tokens; used refresh tokens stay until they expire, so that a second use shows';
COMMENT ON COLUMN identity.session_tokens.used_at IS 'When a refresh token was exchanged';

CREATE TABLE identity.login_failures (
    key          text        PRIMARY KEY,
    failures     int         NOT NULL,
    last_at      timestamptz NOT NULL,
    locked_until timestamptz NOT NULL
);
CREATE INDEX login_failures_by_age ON identity.login_failures (last_at);
COMMENT ON TABLE identity.login_failures IS 'Wrong logins by name and by address, whether such a user exists or not; forgotten a day after the last';
COMMENT ON COLUMN identity.login_failures.key IS 'name: and the SHA-256 of what was given as user (people type passwords there), or peer: and the address';

CREATE TABLE identity.password_resets (
    email_key    text        PRIMARY KEY,
    requested_at timestamptz NOT NULL,
    sent_at      timestamptz,
    secret_hash  bytea       UNIQUE CHECK (length(secret_hash) = 32),
    expires_at   timestamptz
);
COMMENT ON TABLE identity.password_resets IS 'Requests for a new password, for known and unknown addresses alike; SendPasswordResets mails the known ones and drops the others';

CREATE TABLE identity.setup_token (
    single      boolean     PRIMARY KEY DEFAULT true CHECK (single),
    secret_hash bytea       NOT NULL CHECK (length(secret_hash) = 32),
    expires_at  timestamptz NOT NULL
);
COMMENT ON TABLE identity.setup_token IS 'The one-use link that makes the first admin; at most one row';
