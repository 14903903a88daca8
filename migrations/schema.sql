-- The whole current schema. Generated from the migrations by ./dev db schema; never edited by hand.

CREATE SCHEMA artifacts;

CREATE SCHEMA audit;

CREATE SCHEMA benchmarks;

CREATE SCHEMA identity;

CREATE SCHEMA idle_compute;

CREATE SCHEMA platform;

CREATE SCHEMA quartz;

CREATE SCHEMA realtime;

COMMENT ON SCHEMA realtime IS 'Live connections';

CREATE SCHEMA scheduler;

CREATE SCHEMA tokenomics;

CREATE FUNCTION audit.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'audit.% is append-only: % refused.', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION audit.take_transaction_id() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_current_xact_id();
    RETURN NULL;
END $$;

CREATE FUNCTION scheduler.seal_events(at_most integer) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    reached bigint;
    sealed  int;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM scheduler.events WHERE position IS NULL) THEN
        RETURN 0;
    END IF;
    -- Somebody else is at it: what they leave is found at the next call.
    SELECT last INTO reached FROM scheduler.event_positions FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    WITH fresh AS (SELECT id, row_number() OVER (ORDER BY id) AS number FROM scheduler.events WHERE position IS NULL ORDER BY id LIMIT at_most)
    UPDATE scheduler.events e SET position = reached + f.number FROM fresh f WHERE e.id = f.id;
    GET DIAGNOSTICS sealed = ROW_COUNT;
    UPDATE scheduler.event_positions SET last = reached + sealed;
    RETURN sealed;
END $$;

CREATE FUNCTION scheduler.tell_of_device() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    taking boolean := NEW.state IN ('Eligible', 'Contributing');
    told   text;
BEGIN
    told := CASE
        WHEN TG_OP = 'INSERT' THEN 'device_registered'
        WHEN NEW.state = 'Unregistered' THEN 'device_unregistered'
        WHEN OLD.state = 'Unregistered' THEN 'device_registered'
        WHEN NEW.state = 'Lost' THEN 'device_lost'
        WHEN OLD.state = 'Lost' THEN 'device_returned'
        WHEN taking AND OLD.state IN ('Eligible', 'Contributing') THEN NULL
        WHEN taking THEN 'device_eligible'
        WHEN OLD.state IN ('Eligible', 'Contributing') OR OLD.state_reason IS DISTINCT FROM NEW.state_reason THEN 'device_paused' END;
    IF told IS NOT NULL THEN
        INSERT INTO scheduler.events (kind, account_id, device_id, name, reason) VALUES (told, NEW.account_id, NEW.id, NEW.name, CASE WHEN taking THEN NULL ELSE NEW.state_reason END);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION scheduler.tell_of_job() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO scheduler.events (kind, account_id, job_id, name, reason) VALUES (
        CASE WHEN TG_OP = 'INSERT' THEN 'job_submitted'
             WHEN OLD.state = 'Paused' AND NEW.state IN ('Admitted', 'Running') THEN 'job_resumed'
             WHEN NEW.state = 'Running' THEN 'job_started'
             ELSE 'job_' || lower(NEW.state) END,
        NEW.account_id, NEW.id, NEW.name, NEW.state_reason);
    RETURN NULL;
END $$;

CREATE FUNCTION tokenomics.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'tokenomics.% is append-only: % refused. Correct a mistake with a new transfer.', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION tokenomics.require_balance() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE odd bigint;
BEGIN
    SELECT transfer INTO odd FROM added GROUP BY transfer HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'The postings of transfer % do not sum to zero.', odd USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION tokenomics.take_transaction_id() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_current_xact_id();
    RETURN NULL;
END $$;

CREATE TABLE artifacts.blobs (
    sha256 bytea NOT NULL,
    size_bytes bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT blobs_sha256_check CHECK ((octet_length(sha256) = 32)),
    CONSTRAINT blobs_size_bytes_check CHECK ((size_bytes >= 0))
);

COMMENT ON TABLE artifacts.blobs IS 'Contents that are completely on disk and whose hash was verified';

CREATE TABLE artifacts.grants (
    sha256 bytea NOT NULL,
    account_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE artifacts.grants IS 'An account reads only what it uploaded itself or what its own jobs produced';

CREATE TABLE audit.entries (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    account uuid,
    caller text NOT NULL,
    actor text,
    action text NOT NULL,
    subject text,
    details jsonb NOT NULL,
    CONSTRAINT entries_action_check CHECK (((length(action) >= 1) AND (length(action) <= 100))),
    CONSTRAINT entries_details_check CHECK ((jsonb_typeof(details) = 'object'::text))
);

COMMENT ON TABLE audit.entries IS 'Who did what to what, written in the transaction of the change. Numbers of rolled-back transactions stay unused';

COMMENT ON COLUMN audit.entries.account IS 'Whose caller it was; null: nobody identified, or the control plane itself. No foreign key: the log outlives what it tells of';

COMMENT ON COLUMN audit.entries.actor IS 'Device id or id of the key';

COMMENT ON COLUMN audit.entries.subject IS 'Id of what it was done to; null: the caller itself';

ALTER TABLE audit.entries ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME audit.entries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE audit.seals (
    entry bigint NOT NULL,
    hash bytea NOT NULL,
    sealed_at timestamp with time zone NOT NULL,
    CONSTRAINT seals_hash_check CHECK ((length(hash) = 32))
);

COMMENT ON TABLE audit.seals IS 'Hash chain over the entries in the order of their ids: SHA-256 over the previous hash and the entry';

COMMENT ON COLUMN audit.seals.entry IS 'audit.entries.id; no foreign key: a removed entry must show, not be prevented by what its remover can drop';

CREATE TABLE benchmarks.points (
    run_id uuid NOT NULL,
    second integer NOT NULL,
    at timestamp with time zone NOT NULL,
    latency_ms double precision,
    throughput_mb double precision,
    cpu_percent double precision,
    memory_percent double precision,
    network_percent double precision,
    CONSTRAINT points_second_check CHECK (((second >= 1) AND (second <= 3600)))
);

COMMENT ON TABLE benchmarks.points IS 'What a benchmark saw in each second; null: not measured in it';

COMMENT ON COLUMN benchmarks.points.throughput_mb IS 'MB per second';

CREATE TABLE benchmarks.runs (
    id uuid NOT NULL,
    type text NOT NULL,
    state text NOT NULL,
    requested_by uuid NOT NULL,
    duration_seconds integer NOT NULL,
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    runner uuid,
    heartbeat_at timestamp with time zone DEFAULT now() NOT NULL,
    machine jsonb,
    summary jsonb DEFAULT '[]'::jsonb NOT NULL,
    why text,
    CONSTRAINT runs_duration_seconds_check CHECK (((duration_seconds >= 1) AND (duration_seconds <= 3600))),
    CONSTRAINT runs_end_whole CHECK (((state = 'Running'::text) = (ended_at IS NULL))),
    CONSTRAINT runs_state_check CHECK ((state = ANY (ARRAY['Running'::text, 'Completed'::text, 'Stopped'::text, 'Interrupted'::text, 'Failed'::text]))),
    CONSTRAINT runs_type_check CHECK ((type = ANY (ARRAY['Latency'::text, 'Throughput'::text, 'Stress'::text])))
);

COMMENT ON TABLE benchmarks.runs IS 'Benchmarks of the system by itself; one runs at a time, the newest 500 are kept';

COMMENT ON COLUMN benchmarks.runs.runner IS 'The control-plane process that claimed it; null: none has yet';

COMMENT ON COLUMN benchmarks.runs.heartbeat_at IS 'By the database''s clock; silent for 15 s while running: its process is gone';

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
    uses_left integer,
    used_by text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT access_keys_kind_check CHECK ((kind = ANY (ARRAY['ApiKey'::text, 'EnrolmentToken'::text]))),
    CONSTRAINT access_keys_uses_left_check CHECK ((uses_left >= 0))
);

COMMENT ON TABLE identity.access_keys IS 'Secrets that speak for an account: API keys, and enrolment tokens that may only register a device';

COMMENT ON COLUMN identity.access_keys.secret_hash IS 'SHA-256 of the 256-bit random secret; the secret itself is shown once and never stored';

COMMENT ON COLUMN identity.access_keys.uses_left IS 'How many more machines may enrol; null: any number';

COMMENT ON COLUMN identity.access_keys.used_by IS 'Device ids that used a counted token: repeating a registration whose answer was lost spends nothing';

CREATE TABLE identity.accounts (
    id uuid NOT NULL,
    name text NOT NULL,
    address text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    plan text DEFAULT 'Free'::text NOT NULL,
    CONSTRAINT accounts_plan_check CHECK ((plan = ANY (ARRAY['Free'::text, 'Pro'::text, 'Enterprise'::text])))
);

COMMENT ON TABLE identity.accounts IS 'Billing and authorisation principals';

COMMENT ON COLUMN identity.accounts.address IS 'Public ledger address, fog1 followed by 38 characters of base32';

COMMENT ON COLUMN identity.accounts.plan IS 'What each plan allows is a setting (FOG_PLAN_FREE and so on)';

CREATE TABLE identity.compute_reservations (
    job uuid NOT NULL,
    account uuid NOT NULL,
    day date NOT NULL,
    milliseconds bigint NOT NULL,
    CONSTRAINT compute_reservations_milliseconds_check CHECK ((milliseconds >= 0))
);

COMMENT ON TABLE identity.compute_reservations IS 'Part of usage.compute_ms that open jobs have reserved; replaced by what was measured when they end';

COMMENT ON COLUMN identity.compute_reservations.day IS 'Of the submit';

CREATE TABLE identity.login_failures (
    key text NOT NULL,
    failures integer NOT NULL,
    last_at timestamp with time zone NOT NULL,
    locked_until timestamp with time zone NOT NULL
);

COMMENT ON TABLE identity.login_failures IS 'Wrong logins by name and by address, whether such a user exists or not; forgotten a day after the last';

COMMENT ON COLUMN identity.login_failures.key IS 'name: and the SHA-256 of what was given as user (people type passwords there), or peer: and the address';

CREATE TABLE identity.password_resets (
    email_key text NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    sent_at timestamp with time zone,
    secret_hash bytea,
    expires_at timestamp with time zone,
    CONSTRAINT password_resets_secret_hash_check CHECK ((length(secret_hash) = 32))
);

COMMENT ON TABLE identity.password_resets IS 'Requests for a new password, for known and unknown addresses alike; SendPasswordResets mails the known ones and drops the others';

CREATE TABLE identity.recovery_codes (
    account_id uuid NOT NULL,
    code_hash bytea NOT NULL,
    CONSTRAINT recovery_codes_code_hash_check CHECK ((length(code_hash) = 32))
);

COMMENT ON TABLE identity.recovery_codes IS 'SHA-256 of the recovery codes that are left; a used one is deleted';

CREATE TABLE identity.session_tokens (
    secret_hash bytea NOT NULL,
    session_id uuid NOT NULL,
    kind text NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT session_tokens_secret_hash_check CHECK ((length(secret_hash) = 32))
);

COMMENT ON TABLE identity.session_tokens IS 'SHA-256 of access and refresh tokens; used refresh tokens stay until they expire, so that a second use shows';

COMMENT ON COLUMN identity.session_tokens.used_at IS 'When a refresh token was exchanged';

CREATE TABLE identity.sessions (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    end_reason text,
    peer text,
    agent text
);

COMMENT ON TABLE identity.sessions IS 'One login and everything that was refreshed from it; ends whole';

COMMENT ON COLUMN identity.sessions.last_used_at IS 'Login or latest refresh';

COMMENT ON COLUMN identity.sessions.expires_at IS 'Absolute end, 30 days after the login';

COMMENT ON COLUMN identity.sessions.peer IS 'Address of the login';

COMMENT ON COLUMN identity.sessions.agent IS 'User-Agent of the login';

CREATE TABLE identity.setup_token (
    single boolean DEFAULT true NOT NULL,
    secret_hash bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT setup_token_secret_hash_check CHECK ((length(secret_hash) = 32)),
    CONSTRAINT setup_token_single_check CHECK (single)
);

COMMENT ON TABLE identity.setup_token IS 'The one-use link that makes the first admin; at most one row';

CREATE TABLE identity.usage (
    day date NOT NULL,
    account uuid NOT NULL,
    compute_ms bigint DEFAULT 0 NOT NULL,
    api_calls bigint DEFAULT 0 NOT NULL,
    CONSTRAINT usage_compute_ms_check CHECK ((compute_ms >= 0))
)
WITH (fillfactor='50');

COMMENT ON TABLE identity.usage IS 'What accounts use by UTC day; kept for 90 days. Half-empty pages keep the frequent updates in place';

COMMENT ON COLUMN identity.usage.compute_ms IS 'Wall milliseconds of tasks: measured of ended jobs, reserved of open ones; only of accounts with a limit';

CREATE TABLE identity.users (
    account_id uuid NOT NULL,
    email text NOT NULL,
    email_key text NOT NULL,
    password_hash text NOT NULL,
    roles text[] NOT NULL,
    is_active boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    password_changed_at timestamp with time zone NOT NULL,
    totp_secret bytea,
    totp_step bigint NOT NULL,
    mfa_since timestamp with time zone
);

COMMENT ON TABLE identity.users IS 'People who log in: one per account, whose name is the user name';

COMMENT ON COLUMN identity.users.email_key IS 'The address in lower case: unique whatever the case';

COMMENT ON COLUMN identity.users.password_hash IS 'PBKDF2-HMAC-SHA512 with salt and iterations, base64 (format 3 of ASP.NET Core Identity)';

COMMENT ON COLUMN identity.users.totp_secret IS 'Shared with the authenticator app; counts once mfa_since is set';

COMMENT ON COLUMN identity.users.totp_step IS 'Latest 30 s step whose code was used; neither it nor an earlier one is taken again';

CREATE TABLE idle_compute.device_presence (
    device_id text NOT NULL,
    observed_seconds double precision[] NOT NULL,
    present_seconds double precision[] NOT NULL,
    departures double precision[] NOT NULL,
    present boolean NOT NULL,
    observed_at timestamp with time zone NOT NULL,
    CONSTRAINT device_presence_departures_check CHECK ((cardinality(departures) = 168)),
    CONSTRAINT device_presence_observed_seconds_check CHECK ((cardinality(observed_seconds) = 168)),
    CONSTRAINT device_presence_present_seconds_check CHECK ((cardinality(present_seconds) = 168))
);

COMMENT ON TABLE idle_compute.device_presence IS 'When devices were there, per hour of the week (UTC, Monday 00:00 first): what placement learns availability from';

COMMENT ON COLUMN idle_compute.device_presence.observed_seconds IS 'Seconds the device was looked at in that hour of the week; weeks ago fade with a half-life of four weeks';

COMMENT ON COLUMN idle_compute.device_presence.departures IS 'How often it was there at one look and gone at the next';

CREATE TABLE idle_compute.devices (
    id text NOT NULL,
    account_id uuid NOT NULL,
    name text,
    type text NOT NULL,
    platform text,
    key_hash bytea NOT NULL,
    public_key bytea,
    cpu_millicores integer NOT NULL,
    memory_bytes bigint NOT NULL,
    disk_bytes bigint,
    gpus integer NOT NULL,
    slots integer NOT NULL,
    isolation_levels text[] NOT NULL,
    payload_kinds text[] NOT NULL,
    network_allowed boolean NOT NULL,
    labels text[] NOT NULL,
    region text,
    benchmark_score double precision,
    cpu_ghz double precision,
    offline_grace_seconds integer NOT NULL,
    battery_percent double precision,
    charging boolean,
    temperature_celsius double precision,
    other_cpu double precision,
    state text NOT NULL,
    state_reason text,
    registered_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    last_poll_at timestamp with time zone,
    unregistered_at timestamp with time zone,
    tasks_completed bigint NOT NULL,
    compute_ms bigint NOT NULL,
    reputation_right double precision NOT NULL,
    reputation_wrong double precision NOT NULL,
    reputation_at timestamp with time zone NOT NULL,
    verified_streak integer NOT NULL,
    losses bigint NOT NULL,
    evictions bigint NOT NULL
);

COMMENT ON TABLE idle_compute.devices IS 'Enrolled machines; the row stays after unregistering so that history keeps its names';

COMMENT ON COLUMN idle_compute.devices.key_hash IS 'SHA-256 of the device key, which was shown once';

COMMENT ON COLUMN idle_compute.devices.public_key IS 'P-256 SubjectPublicKeyInfo that signs receipts';

COMMENT ON COLUMN idle_compute.devices.last_seen_at IS 'Written at most every few seconds per device: good enough for silence detection';

COMMENT ON COLUMN idle_compute.devices.reputation_right IS 'Decayed count of verified-right results, as of reputation_at';

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
    failures bigint DEFAULT 0 NOT NULL,
    paused_at timestamp with time zone,
    paused_by uuid,
    last_server uuid,
    last_duration_ms double precision,
    p50_ms double precision,
    p95_ms double precision
);

COMMENT ON TABLE platform.recurring_jobs IS 'Last run of each row of RecurringJobTable, whichever control-plane process ran it';

COMMENT ON COLUMN platform.recurring_jobs.paused_at IS 'It does not run by itself since then, on no control plane; null: it does';

COMMENT ON COLUMN platform.recurring_jobs.paused_by IS 'Account that paused it';

COMMENT ON COLUMN platform.recurring_jobs.last_server IS 'platform.servers.id of its last run; that server may be gone';

COMMENT ON COLUMN platform.recurring_jobs.p50_ms IS 'Of the last 256 runs on the server that wrote it last; null: see the history';

CREATE TABLE platform.recurring_runs (
    id uuid NOT NULL,
    job text NOT NULL,
    trigger text NOT NULL,
    outcome text NOT NULL,
    asked_by uuid,
    server uuid,
    host text,
    started_at timestamp with time zone,
    duration_ms double precision,
    runs integer DEFAULT 1 NOT NULL,
    error_type text,
    error_message text,
    error_trace text,
    CONSTRAINT recurring_runs_outcome_check CHECK ((outcome = ANY (ARRAY['queued'::text, 'running'::text, 'succeeded'::text, 'failed'::text, 'interrupted'::text]))),
    CONSTRAINT recurring_runs_runs_check CHECK ((runs >= 1)),
    CONSTRAINT recurring_runs_trigger_check CHECK ((trigger = ANY (ARRAY['period'::text, 'signal'::text, 'manual'::text])))
);

COMMENT ON TABLE platform.recurring_runs IS 'History of recurring jobs, the newest 1000 of each for seven days, and the manual runs that wait';

COMMENT ON COLUMN platform.recurring_runs.id IS 'UUIDv7: ordered by time';

COMMENT ON COLUMN platform.recurring_runs.asked_by IS 'Account that asked for a manual run';

COMMENT ON COLUMN platform.recurring_runs.runs IS 'Runs of a pump with the same outcome within a minute share a row, which shows the slowest of them';

CREATE TABLE platform.schema_migrations (
    number integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    duration_ms bigint NOT NULL
);

COMMENT ON TABLE platform.schema_migrations IS 'Migrations applied to this database; written by the migrator, never by hand';

COMMENT ON COLUMN platform.schema_migrations.checksum IS 'SHA-256 of the file: one that changed after it was applied is refused';

CREATE TABLE platform.servers (
    id uuid NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    leads text[] NOT NULL,
    running text[] NOT NULL
);

COMMENT ON TABLE platform.servers IS 'Control-plane processes; each writes its row every two seconds and removes it when it stops';

COMMENT ON COLUMN platform.servers.leads IS 'Pumps that it runs';

COMMENT ON COLUMN platform.servers.running IS 'Recurring jobs that ran when it wrote';

CREATE TABLE quartz.qrtz_blob_triggers (
    sched_name text NOT NULL,
    trigger_name text NOT NULL,
    trigger_group text NOT NULL,
    blob_data bytea
);

COMMENT ON TABLE quartz.qrtz_blob_triggers IS 'Not used here; Quartz reads it';

CREATE TABLE quartz.qrtz_calendars (
    sched_name text NOT NULL,
    calendar_name text NOT NULL,
    calendar bytea NOT NULL
);

COMMENT ON TABLE quartz.qrtz_calendars IS 'Not used here; Quartz reads it';

CREATE TABLE quartz.qrtz_cron_triggers (
    sched_name text NOT NULL,
    trigger_name text NOT NULL,
    trigger_group text NOT NULL,
    cron_expression text NOT NULL,
    time_zone_id text
);

COMMENT ON TABLE quartz.qrtz_cron_triggers IS 'Not used here; Quartz reads it';

CREATE TABLE quartz.qrtz_fired_triggers (
    sched_name text NOT NULL,
    entry_id text NOT NULL,
    trigger_name text NOT NULL,
    trigger_group text NOT NULL,
    instance_name text NOT NULL,
    fired_time bigint NOT NULL,
    sched_time bigint NOT NULL,
    priority integer NOT NULL,
    state text NOT NULL,
    job_name text,
    job_group text,
    is_nonconcurrent boolean NOT NULL,
    requests_recovery boolean,
    execution_group character varying(200),
    progress integer,
    progress_message character varying(250),
    interrupt_requested_time bigint
);

COMMENT ON TABLE quartz.qrtz_fired_triggers IS 'What is about to run or runs, and on which control plane';

CREATE TABLE quartz.qrtz_job_details (
    sched_name text NOT NULL,
    job_name text NOT NULL,
    job_group text NOT NULL,
    description text,
    job_class_name text NOT NULL,
    is_durable boolean NOT NULL,
    is_nonconcurrent boolean NOT NULL,
    is_update_data boolean NOT NULL,
    requests_recovery boolean NOT NULL,
    job_data bytea
);

COMMENT ON TABLE quartz.qrtz_job_details IS 'Jobs that Quartz knows: one per schedule of RecurringJobTable';

CREATE TABLE quartz.qrtz_locks (
    sched_name text NOT NULL,
    lock_name text NOT NULL
);

COMMENT ON TABLE quartz.qrtz_locks IS 'Rows that the control planes lock to take turns';

CREATE TABLE quartz.qrtz_paused_job_grps (
    sched_name text NOT NULL,
    job_group text NOT NULL,
    pause_reason character varying(250),
    paused_by character varying(200),
    paused_at bigint
);

COMMENT ON TABLE quartz.qrtz_paused_job_grps IS 'Not used here: pauses are in platform.recurring_jobs';

CREATE TABLE quartz.qrtz_paused_trigger_grps (
    sched_name text NOT NULL,
    trigger_group text NOT NULL,
    pause_reason character varying(250),
    paused_by character varying(200),
    paused_at bigint
);

COMMENT ON TABLE quartz.qrtz_paused_trigger_grps IS 'Not used here: pauses are in platform.recurring_jobs';

CREATE TABLE quartz.qrtz_scheduler_state (
    sched_name text NOT NULL,
    instance_name text NOT NULL,
    last_checkin_time bigint NOT NULL,
    checkin_interval bigint NOT NULL,
    quartz_version character varying(20)
);

COMMENT ON TABLE quartz.qrtz_scheduler_state IS 'Control planes of the cluster and their last check-in';

CREATE TABLE quartz.qrtz_simple_triggers (
    sched_name text NOT NULL,
    trigger_name text NOT NULL,
    trigger_group text NOT NULL,
    repeat_count bigint NOT NULL,
    repeat_interval bigint NOT NULL,
    times_triggered bigint NOT NULL
);

COMMENT ON TABLE quartz.qrtz_simple_triggers IS 'The periods of the triggers';

CREATE TABLE quartz.qrtz_simprop_triggers (
    sched_name text NOT NULL,
    trigger_name text NOT NULL,
    trigger_group text NOT NULL,
    str_prop_1 text,
    str_prop_2 text,
    str_prop_3 text,
    int_prop_1 integer,
    int_prop_2 integer,
    long_prop_1 bigint,
    long_prop_2 bigint,
    dec_prop_1 numeric,
    dec_prop_2 numeric,
    bool_prop_1 boolean,
    bool_prop_2 boolean,
    time_zone_id text
);

COMMENT ON TABLE quartz.qrtz_simprop_triggers IS 'Not used here; Quartz reads it';

CREATE TABLE quartz.qrtz_triggers (
    sched_name text NOT NULL,
    trigger_name text NOT NULL,
    trigger_group text NOT NULL,
    job_name text NOT NULL,
    job_group text NOT NULL,
    description text,
    next_fire_time bigint,
    prev_fire_time bigint,
    priority integer,
    trigger_state text NOT NULL,
    trigger_type text NOT NULL,
    start_time bigint NOT NULL,
    end_time bigint,
    calendar_name text,
    misfire_instr smallint,
    misfire_orig_fire_time bigint,
    execution_group character varying(200),
    preferred_node character varying(200),
    preferred_node_auto boolean DEFAULT false NOT NULL,
    retry_policy character varying(250),
    retry_attempt integer,
    continues_trigger_name text,
    continues_trigger_group text,
    continuation_condition integer,
    overlap_policy integer,
    pause_reason character varying(250),
    paused_by character varying(200),
    paused_at bigint,
    misfire_threshold bigint,
    fixed_delay boolean,
    job_data bytea
);

COMMENT ON TABLE quartz.qrtz_triggers IS 'When each of them fires next, and manual runs that wait';

CREATE UNLOGGED TABLE realtime.tickets (
    hash bytea NOT NULL,
    issued_to jsonb NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT tickets_hash_check CHECK ((length(hash) = 32))
);

COMMENT ON TABLE realtime.tickets IS 'One-use tickets that open a WebSocket; redeeming deletes the row, on whichever control plane';

COMMENT ON COLUMN realtime.tickets.hash IS 'SHA-256 of the ticket, which was shown once';

COMMENT ON COLUMN realtime.tickets.issued_to IS 'The caller who asked for it';

CREATE TABLE scheduler.attempts (
    id uuid NOT NULL,
    job_id uuid NOT NULL,
    task_index integer NOT NULL,
    device_id text NOT NULL,
    replica smallint NOT NULL,
    epoch integer NOT NULL,
    state text NOT NULL,
    reason text,
    message text,
    leased_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    exit_code integer,
    wall_ms bigint NOT NULL,
    cpu_ms bigint NOT NULL,
    peak_memory_bytes bigint,
    output_digest text,
    output jsonb,
    stdout_sha256 text,
    stderr_sha256 text,
    log_tail text,
    log_bytes bigint NOT NULL,
    signature text,
    notice_until timestamp with time zone
)
WITH (fillfactor='70');

COMMENT ON TABLE scheduler.attempts IS 'One run of a task replica on one device, with the receipt the device signed';

COMMENT ON COLUMN scheduler.attempts.signature IS 'ECDSA P-256 over the receipt (device, attempt, epoch, outcome, digest, usage)';

COMMENT ON COLUMN scheduler.attempts.notice_until IS 'The pool takes the machine back then; null: it does not want it';

CREATE TABLE scheduler.event_positions (
    single boolean DEFAULT true NOT NULL,
    last bigint NOT NULL,
    CONSTRAINT event_positions_single_check CHECK (single)
);

COMMENT ON TABLE scheduler.event_positions IS 'One row: the highest position given. Its lock makes sealers take turns';

CREATE TABLE scheduler.events (
    id bigint NOT NULL,
    "position" bigint,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    kind text NOT NULL,
    account_id uuid NOT NULL,
    job_id uuid,
    device_id text,
    name text,
    reason text
);

COMMENT ON TABLE scheduler.events IS 'Changes of jobs and devices, written by triggers in the transaction of the change; kept for a day';

COMMENT ON COLUMN scheduler.events.id IS 'Order of writing; a lower one may become visible after a higher one, so no reader goes by it';

COMMENT ON COLUMN scheduler.events."position" IS 'Order for readers, without gaps: given by seal_events to what has been committed, one sealer at a time; null until then';

COMMENT ON COLUMN scheduler.events.account_id IS 'Owner of the job or device';

ALTER TABLE scheduler.events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME scheduler.events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE scheduler.job_dependencies (
    job_id uuid NOT NULL,
    depends_on uuid NOT NULL,
    CONSTRAINT job_dependencies_check CHECK ((job_id <> depends_on))
);

COMMENT ON TABLE scheduler.job_dependencies IS 'A job names only jobs that exist already, so the graph cannot contain a cycle';

CREATE TABLE scheduler.jobs (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    name text NOT NULL,
    state text NOT NULL,
    state_reason text,
    sla_tier text NOT NULL,
    cpu_millicores integer NOT NULL,
    memory_bytes bigint NOT NULL,
    gpus integer NOT NULL,
    isolation text NOT NULL,
    network text NOT NULL,
    payload_kind text NOT NULL,
    labels text[] NOT NULL,
    regions text[] NOT NULL,
    excluded_devices text[] NOT NULL,
    priority integer NOT NULL,
    retries integer NOT NULL,
    deterministic boolean NOT NULL,
    privacy_level text NOT NULL,
    estimate_ms bigint NOT NULL,
    queue_seconds integer NOT NULL,
    stage_in_seconds integer NOT NULL,
    wall_seconds integer NOT NULL,
    stage_out_seconds integer NOT NULL,
    memory_limit_bytes bigint NOT NULL,
    disk_limit_bytes bigint NOT NULL,
    output_limit_bytes bigint NOT NULL,
    process_limit integer NOT NULL,
    specification jsonb NOT NULL,
    deadline timestamp with time zone,
    quote_micro bigint NOT NULL,
    hold_per_task_micro bigint NOT NULL,
    charged_micro bigint NOT NULL,
    task_count integer NOT NULL,
    tasks_succeeded integer NOT NULL,
    tasks_failed integer NOT NULL,
    tasks_cancelled integer NOT NULL,
    dependencies_left integer NOT NULL,
    submitted_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    sla_met boolean,
    run_ms bigint NOT NULL,
    checkpoint_path text,
    max_concurrent integer,
    materialised integer NOT NULL,
    plan text NOT NULL,
    quote_id uuid,
    quoted_p95_at timestamp with time zone,
    within_quote boolean,
    price_core_hour_micro bigint NOT NULL,
    price_gib_hour_micro bigint NOT NULL,
    price_tier_tenths integer NOT NULL,
    hold_margin_bp integer NOT NULL,
    formula_version bigint NOT NULL,
    CONSTRAINT jobs_check CHECK ((((tasks_succeeded + tasks_failed) + tasks_cancelled) <= task_count)),
    CONSTRAINT jobs_dependencies_left_check CHECK ((dependencies_left >= 0)),
    CONSTRAINT jobs_materialised_range CHECK (((materialised >= 0) AND (materialised <= task_count))),
    CONSTRAINT jobs_max_concurrent_check CHECK (((max_concurrent >= 1) AND (max_concurrent <= 1000000))),
    CONSTRAINT jobs_task_count_check CHECK (((task_count >= 1) AND (task_count <= 1000000)))
);

COMMENT ON TABLE scheduler.jobs IS 'What requesters asked for; task counters are kept here so that the last task is seen under this row''s lock';

COMMENT ON COLUMN scheduler.jobs.specification IS 'Payload, inputs and output globs exactly as agents get them';

COMMENT ON COLUMN scheduler.jobs.quote_micro IS 'Micro-credits for the whole job; the hold is each task''s quote × 1.1';

COMMENT ON COLUMN scheduler.jobs.run_ms IS 'Sum over succeeded tasks of the mean measured wall milliseconds of their accepted attempts';

COMMENT ON COLUMN scheduler.jobs.checkpoint_path IS 'Folder inside the work folder whose content a run that ends with exit code 85 is started again with; null: no checkpoints';

COMMENT ON COLUMN scheduler.jobs.max_concurrent IS 'Most tasks leased at once; null: any number';

COMMENT ON COLUMN scheduler.jobs.materialised IS 'Tasks 0 to materialised - 1 have a row; the others wait, and get theirs when few open ones are left';

COMMENT ON COLUMN scheduler.jobs.plan IS 'The trade-off that was bought; where none was named, the one its tier stands for';

COMMENT ON COLUMN scheduler.jobs.quote_id IS 'The quote named by the submit; null: none. Its price is quote_micro, and the hold is just that';

COMMENT ON COLUMN scheduler.jobs.quoted_p95_at IS 'When the job was quoted to have ended with 95 % probability';

COMMENT ON COLUMN scheduler.jobs.within_quote IS 'Whether it had; null: no quote, not ended, or ended early by other means';

COMMENT ON COLUMN scheduler.jobs.price_core_hour_micro IS 'Micro-credits for one core and hour that the job is quoted, held and charged by; so are the three after it';

COMMENT ON COLUMN scheduler.jobs.price_tier_tenths IS 'Multiplier of the tier × 10';

COMMENT ON COLUMN scheduler.jobs.hold_margin_bp IS 'Hold as a share of the quote, hundredths of a percent';

COMMENT ON COLUMN scheduler.jobs.formula_version IS 'Version of the parameters (tokenomics.parameter_changes) that these prices are of; 0: the defaults';

CREATE TABLE scheduler.lines (
    account_id uuid NOT NULL,
    priority integer NOT NULL,
    served_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE scheduler.lines IS 'When the jobs of one account and priority last got a device; the order of service counts waiting from it';

CREATE TABLE scheduler.passes (
    id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    took_ms double precision NOT NULL,
    tasks integer NOT NULL,
    slots integer NOT NULL,
    devices integer NOT NULL,
    placed integer NOT NULL,
    unplaced integer NOT NULL,
    generations integer NOT NULL,
    evaluations bigint NOT NULL,
    search_ms double precision NOT NULL,
    hypervolume double precision NOT NULL,
    convergence double precision NOT NULL,
    chosen integer NOT NULL,
    front jsonb NOT NULL,
    jobs uuid[] NOT NULL
);

COMMENT ON TABLE scheduler.passes IS 'Placement passes that searched a Pareto front, with the front; kept for seven days';

CREATE TABLE scheduler.quotes (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    request jsonb NOT NULL,
    plans jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    job_id uuid
);

COMMENT ON TABLE scheduler.quotes IS 'Plans with guaranteed prices that a submit may name for a minute; forgotten after a day';

COMMENT ON COLUMN scheduler.quotes.request IS 'Digest of each field of the quoted request, defaults filled in: tells what differs in a submit';

COMMENT ON COLUMN scheduler.quotes.plans IS 'The front and its named plans, or why there is none';

COMMENT ON COLUMN scheduler.quotes.job_id IS 'The job that was submitted under it; a quote is good for one';

CREATE TABLE scheduler.tasks (
    job_id uuid NOT NULL,
    index integer NOT NULL,
    state text NOT NULL,
    open_slots smallint NOT NULL,
    epoch integer NOT NULL,
    job_errors smallint NOT NULL,
    device_losses smallint NOT NULL,
    evictions smallint NOT NULL,
    audited boolean NOT NULL,
    eligible_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    output_digest text,
    failure_reason text,
    cost_micro bigint NOT NULL,
    checkpoint_sha256 text,
    checkpoint_epoch integer,
    idle_checkpoints smallint DEFAULT 0 NOT NULL,
    speculated boolean DEFAULT false NOT NULL,
    CONSTRAINT tasks_open_slots_check CHECK ((open_slots >= 0))
)
WITH (fillfactor='70');

COMMENT ON TABLE scheduler.tasks IS 'Independently runnable units of a job, addressed by job and array index';

COMMENT ON COLUMN scheduler.tasks.open_slots IS 'Replicas that still need a device';

COMMENT ON COLUMN scheduler.tasks.epoch IS 'Fencing token: grows with each lease';

COMMENT ON COLUMN scheduler.tasks.checkpoint_sha256 IS 'Archive of the newest checkpoint; the next lease starts from it';

COMMENT ON COLUMN scheduler.tasks.checkpoint_epoch IS 'Which lease it came from';

COMMENT ON COLUMN scheduler.tasks.idle_checkpoints IS 'Restarts in a row that the payload asked for without having got anywhere';

COMMENT ON COLUMN scheduler.tasks.speculated IS 'A copy was asked for because it ran long; cleared when the copy takes the place of a replica that was lost';

CREATE TABLE tokenomics.accounts (
    id bigint NOT NULL,
    owner uuid,
    kind text NOT NULL,
    balance bigint DEFAULT 0 NOT NULL,
    earned bigint DEFAULT 0 NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT accounts_earned_check CHECK ((earned >= 0)),
    CONSTRAINT accounts_kind_fits_owner CHECK (
CASE
    WHEN (owner IS NULL) THEN (kind = ANY (ARRAY['Issuance'::text, 'Treasury'::text, 'Sovereign'::text, 'RewardsPool'::text, 'Faucet'::text, 'Fees'::text, 'Burned'::text, 'Slashed'::text]))
    ELSE (kind = ANY (ARRAY['Available'::text, 'Held'::text, 'Staked'::text, 'Unbonding'::text]))
END),
    CONSTRAINT accounts_never_below_zero CHECK (
CASE
    WHEN (kind = 'Issuance'::text) THEN ((balance >= '-1000000000000'::bigint) AND (balance <= 0))
    ELSE (balance >= 0)
END)
)
WITH (fillfactor='50');

COMMENT ON TABLE tokenomics.accounts IS 'Balances; half-empty pages keep their frequent updates in place (no index changes)';

COMMENT ON COLUMN tokenomics.accounts.id IS 'System accounts have the fixed ids 1-8; rows are locked in descending order of id, so the busy system accounts come last';

COMMENT ON COLUMN tokenomics.accounts.earned IS 'Everything settlements ever credited here; a running figure that the reconciler re-derives';

COMMENT ON CONSTRAINT accounts_never_below_zero ON tokenomics.accounts IS 'Only issuance may be negative, down to the hard cap of 1 000 000 credits';

ALTER TABLE tokenomics.accounts ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME tokenomics.accounts_id_seq
    START WITH 100
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE tokenomics.ballot_history (
    number bigint NOT NULL,
    proposal text NOT NULL,
    voter uuid NOT NULL,
    choice text NOT NULL,
    power bigint NOT NULL,
    reason text,
    cast_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE tokenomics.ballot_history IS 'Every ballot as it was cast, changes included, append-only';

COMMENT ON COLUMN tokenomics.ballot_history.power IS 'Micro-credits it carried then; a delegator who votes later takes theirs out of it';

ALTER TABLE tokenomics.ballot_history ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME tokenomics.ballot_history_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE tokenomics.ballot_powers (
    proposal text NOT NULL,
    owner uuid NOT NULL,
    through uuid NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT ballot_powers_amount_check CHECK ((amount > 0))
);

COMMENT ON TABLE tokenomics.ballot_powers IS 'Whose stake a ballot carries. The key lets each owner''s stake count once in a proposal, through whichever ballot';

COMMENT ON COLUMN tokenomics.ballot_powers.through IS 'The voter whose ballot carries it: the owner, or the delegate';

CREATE TABLE tokenomics.ballots (
    proposal text NOT NULL,
    voter uuid NOT NULL,
    number bigint NOT NULL,
    choice text NOT NULL,
    reason text,
    cast_at timestamp with time zone NOT NULL,
    CONSTRAINT ballots_choice_check CHECK ((choice = ANY (ARRAY['For'::text, 'Against'::text, 'Abstain'::text])))
);

COMMENT ON TABLE tokenomics.ballots IS 'The ballot of each account as it stands; all that it ever was is in ballot_history';

ALTER TABLE tokenomics.ballots ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME tokenomics.ballots_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE tokenomics.block_totals (
    block bigint NOT NULL,
    sealed_at timestamp with time zone NOT NULL,
    settlements bigint NOT NULL,
    charged bigint NOT NULL,
    paid bigint NOT NULL,
    metered bigint NOT NULL,
    core_ms bigint NOT NULL,
    staking_rewards bigint NOT NULL,
    treasury_grants bigint NOT NULL
);

COMMENT ON TABLE tokenomics.block_totals IS 'What the journal adds up to at the end of each block, from the first on; append-only. Amounts in micro-credits';

COMMENT ON COLUMN tokenomics.block_totals.metered IS 'The part of charged whose settlements say what was measured';

COMMENT ON COLUMN tokenomics.block_totals.core_ms IS 'Cores × milliseconds of the metered settlements';

CREATE TABLE tokenomics.blocks (
    number bigint NOT NULL,
    first_transfer bigint NOT NULL,
    last_transfer bigint NOT NULL,
    transfers integer NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL,
    sealed_at timestamp with time zone NOT NULL,
    CONSTRAINT blocks_check CHECK ((first_transfer <= last_transfer)),
    CONSTRAINT blocks_hash_check CHECK ((length(hash) = 32)),
    CONSTRAINT blocks_number_check CHECK ((number >= 1)),
    CONSTRAINT blocks_previous_hash_check CHECK ((length(previous_hash) = 32)),
    CONSTRAINT blocks_transfers_check CHECK ((transfers > 0))
);

COMMENT ON TABLE tokenomics.blocks IS 'Hash chain over the journal: a block covers every transfer numbered first_transfer to last_transfer, and blocks leave no number out';

CREATE TABLE tokenomics.checkpoints (
    day date NOT NULL,
    block bigint NOT NULL,
    head_hash bytea NOT NULL,
    supply bigint NOT NULL,
    balances_hash bytea NOT NULL,
    at timestamp with time zone NOT NULL,
    signed bytea NOT NULL,
    signature bytea NOT NULL,
    key_id text NOT NULL,
    public_key bytea NOT NULL,
    CONSTRAINT checkpoints_balances_hash_check CHECK ((length(balances_hash) = 32)),
    CONSTRAINT checkpoints_head_hash_check CHECK ((length(head_hash) = 32))
);

COMMENT ON TABLE tokenomics.checkpoints IS 'Once a day: the head of the chain and a hash of all balances, signed with a key that is not in the database';

COMMENT ON COLUMN tokenomics.checkpoints.signed IS 'The very bytes that are signed';

COMMENT ON COLUMN tokenomics.checkpoints.signature IS 'ECDSA P-256 over SHA-256 of signed, DER';

COMMENT ON COLUMN tokenomics.checkpoints.key_id IS 'SHA-256 of public_key (SubjectPublicKeyInfo), hex';

CREATE TABLE tokenomics.delegations (
    number bigint NOT NULL,
    owner uuid NOT NULL,
    delegate uuid,
    at timestamp with time zone NOT NULL,
    CONSTRAINT delegations_check CHECK ((delegate <> owner))
);

COMMENT ON TABLE tokenomics.delegations IS 'Who votes for whom, append-only: an owner''s latest row up to a snapshot counts. Numbers are drawn under the shared voting lock, so none appears below a snapshot';

COMMENT ON COLUMN tokenomics.delegations.delegate IS 'Null: taken back';

ALTER TABLE tokenomics.delegations ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME tokenomics.delegations_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE tokenomics.holds (
    job_id uuid NOT NULL,
    owner uuid NOT NULL,
    amount bigint NOT NULL,
    remaining bigint NOT NULL,
    settled bigint DEFAULT 0 NOT NULL,
    released bigint DEFAULT 0 NOT NULL,
    state text NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT holds_amount_check CHECK ((amount >= 0)),
    CONSTRAINT holds_closed_is_empty CHECK ((((state = 'Closed'::text) = (closed_at IS NOT NULL)) AND ((state = 'Open'::text) OR (remaining = 0)))),
    CONSTRAINT holds_conserve CHECK ((amount = ((remaining + settled) + released))),
    CONSTRAINT holds_released_check CHECK ((released >= 0)),
    CONSTRAINT holds_remaining_check CHECK ((remaining >= 0)),
    CONSTRAINT holds_settled_check CHECK ((settled >= 0)),
    CONSTRAINT holds_state_check CHECK ((state = ANY (ARRAY['Open'::text, 'Closed'::text])))
)
WITH (fillfactor='50');

COMMENT ON TABLE tokenomics.holds IS 'Credits set aside per job; the row lock serialises the settlements of one job';

COMMENT ON COLUMN tokenomics.holds.expires_at IS 'When its job ends at the latest; what is then left goes back';

CREATE TABLE tokenomics.owners (
    id uuid NOT NULL,
    address text NOT NULL,
    opened_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE tokenomics.owners IS 'Who has accounts here; written when the identity account opens';

COMMENT ON COLUMN tokenomics.owners.id IS 'identity.accounts.id; checked at commit, because the event that opens the ledger runs before the identity row is saved';

CREATE TABLE tokenomics.parameter_changes (
    version bigint NOT NULL,
    name text NOT NULL,
    previous bigint NOT NULL,
    value bigint NOT NULL,
    proposal text,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT parameter_changes_version_check CHECK ((version >= 1))
);

COMMENT ON TABLE tokenomics.parameter_changes IS 'Every change of a tunable, append-only; the values in force are the latest of each name, or the defaults in the code';

COMMENT ON COLUMN tokenomics.parameter_changes.proposal IS 'Hex id of the proposal that decided it; null: the founder''s settings at the first start';

CREATE TABLE tokenomics.postings (
    transfer bigint NOT NULL,
    account_id bigint NOT NULL,
    amount bigint NOT NULL,
    balance bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT postings_amount_check CHECK ((amount <> 0))
);

COMMENT ON TABLE tokenomics.postings IS 'Signed amounts; each transfer''s postings sum to zero. No foreign keys: their per-row checks would cost more than the insert, and the reconciler looks for orphans';

COMMENT ON COLUMN tokenomics.postings.balance IS 'Balance of the account after this posting; the reconciler adds them up again';

COMMENT ON COLUMN tokenomics.postings.at IS 'Ledger time: the transfer''s created_at, or a microsecond after the latest posting of the accounts it moves where that is later';

CREATE TABLE tokenomics.proposal_history (
    number bigint NOT NULL,
    proposal text NOT NULL,
    at timestamp with time zone NOT NULL,
    state text NOT NULL,
    why text NOT NULL
);

COMMENT ON TABLE tokenomics.proposal_history IS 'What happened to each proposal, append-only';

ALTER TABLE tokenomics.proposal_history ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME tokenomics.proposal_history_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE tokenomics.proposals (
    id text NOT NULL,
    number bigint NOT NULL,
    proposer uuid NOT NULL,
    title text NOT NULL,
    description text NOT NULL,
    payload text NOT NULL,
    actions_hash text NOT NULL,
    delay_seconds bigint NOT NULL,
    voting_seconds bigint NOT NULL,
    quorum_bp bigint NOT NULL,
    approval_bp bigint NOT NULL,
    late_quorum_seconds bigint NOT NULL,
    timelock_seconds bigint NOT NULL,
    grace_seconds bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    snapshot_at timestamp with time zone NOT NULL,
    snapshot_transfer bigint,
    snapshot_supply bigint,
    snapshot_delegation bigint,
    voting_ends_at timestamp with time zone NOT NULL,
    votes_for bigint DEFAULT 0 NOT NULL,
    votes_against bigint DEFAULT 0 NOT NULL,
    votes_abstain bigint DEFAULT 0 NOT NULL,
    eta timestamp with time zone,
    end_state text,
    end_reason text,
    end_why text,
    ended_at timestamp with time zone,
    granted bigint DEFAULT 0 NOT NULL,
    due_at timestamp with time zone,
    CONSTRAINT proposals_end_state_check CHECK ((end_state = ANY (ARRAY['Defeated'::text, 'Executed'::text, 'ExecutionFailed'::text, 'Expired'::text, 'Cancelled'::text]))),
    CONSTRAINT proposals_end_whole CHECK ((((end_state IS NULL) = (ended_at IS NULL)) AND ((end_state IS NULL) = (end_why IS NULL)) AND ((end_state IS NULL) OR (due_at IS NULL)))),
    CONSTRAINT proposals_granted_check CHECK ((granted >= 0)),
    CONSTRAINT proposals_id_check CHECK ((id ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT proposals_snapshot_whole CHECK ((num_nulls(snapshot_transfer, snapshot_supply, snapshot_delegation) = ANY (ARRAY[0, 3]))),
    CONSTRAINT proposals_votes_abstain_check CHECK ((votes_abstain >= 0)),
    CONSTRAINT proposals_votes_against_check CHECK ((votes_against >= 0)),
    CONSTRAINT proposals_votes_for_check CHECK ((votes_for >= 0)),
    CONSTRAINT proposals_votes_within_supply CHECK ((((votes_for + votes_against) + votes_abstain) <= COALESCE(snapshot_supply, (0)::bigint)))
);

COMMENT ON TABLE tokenomics.proposals IS 'What is proposed and how it fares. The state follows from these facts and the time; only ends are stored';

COMMENT ON COLUMN tokenomics.proposals.id IS 'SHA-256 of proposer, payload and description; see Domain/Tokenomics/Governance/ProposalIdentity.cs';

COMMENT ON COLUMN tokenomics.proposals.payload IS 'The very text that is shown, hashed and run; text, not json, so that no byte of it changes';

COMMENT ON COLUMN tokenomics.proposals.quorum_bp IS 'This and the other rules were in force at its creation and stay its own';

COMMENT ON COLUMN tokenomics.proposals.snapshot_at IS 'When the snapshot is due; once taken, when it was';

COMMENT ON COLUMN tokenomics.proposals.granted IS 'Micro-credits its execution took from the treasury';

COMMENT ON COLUMN tokenomics.proposals.due_at IS 'When AdvanceProposals looks at it next; null: it has ended';

ALTER TABLE tokenomics.proposals ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME tokenomics.proposals_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE tokenomics.reconciliations (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    elapsed_ms integer NOT NULL,
    difference_count integer NOT NULL,
    differences jsonb NOT NULL,
    supply bigint NOT NULL,
    head_block bigint NOT NULL,
    head_hash bytea,
    chain_verified_to bigint NOT NULL
);

COMMENT ON TABLE tokenomics.reconciliations IS 'Outcome of each ledger check; the latest row is what /health shows';

COMMENT ON COLUMN tokenomics.reconciliations.differences IS 'The first 100 differences';

COMMENT ON COLUMN tokenomics.reconciliations.chain_verified_to IS 'Block at which the next run continues its round through the chain';

ALTER TABLE tokenomics.reconciliations ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME tokenomics.reconciliations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE tokenomics.rehearsals (
    id bigint NOT NULL,
    proposal text NOT NULL,
    asked_by uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    days integer NOT NULL,
    result jsonb NOT NULL,
    CONSTRAINT rehearsals_days_check CHECK (((days >= 1) AND (days <= 30)))
);

COMMENT ON TABLE tokenomics.rehearsals IS 'What recorded days would have been like under the value that a proposal would set; shown beside the proposal';

COMMENT ON COLUMN tokenomics.rehearsals.proposal IS 'Hex id of the proposal';

COMMENT ON COLUMN tokenomics.rehearsals.days IS 'How many days back it looked from its time';

ALTER TABLE tokenomics.rehearsals ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME tokenomics.rehearsals_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE tokenomics.slashes (
    id uuid NOT NULL,
    owner uuid NOT NULL,
    reason text NOT NULL,
    state text NOT NULL,
    from_staked bigint NOT NULL,
    from_unbonding bigint NOT NULL,
    locked_until timestamp with time zone,
    available_at timestamp with time zone,
    harmed uuid NOT NULL,
    harmed_bp integer NOT NULL,
    job_id uuid NOT NULL,
    task_index integer NOT NULL,
    device_id text NOT NULL,
    attempt_id uuid NOT NULL,
    evidence json,
    created_at timestamp with time zone NOT NULL,
    appeal_until timestamp with time zone NOT NULL,
    appeal text,
    appealed_at timestamp with time zone,
    decision text,
    decided_by text,
    decided_at timestamp with time zone,
    CONSTRAINT slashes_from_staked_check CHECK ((from_staked >= 0)),
    CONSTRAINT slashes_from_unbonding_check CHECK ((from_unbonding >= 0)),
    CONSTRAINT slashes_harmed_bp_check CHECK (((harmed_bp >= 0) AND (harmed_bp <= 10000))),
    CONSTRAINT slashes_reason_check CHECK ((reason = ANY (ARRAY['WrongResult'::text, 'Equivocation'::text]))),
    CONSTRAINT slashes_remember_clocks CHECK ((((from_staked = 0) = (locked_until IS NULL)) AND ((from_unbonding = 0) = (available_at IS NULL)))),
    CONSTRAINT slashes_state_check CHECK ((state = ANY (ARRAY['Escrowed'::text, 'Appealed'::text, 'Executed'::text, 'Reversed'::text]))),
    CONSTRAINT slashes_state_fits CHECK ((((appeal IS NULL) = (appealed_at IS NULL)) AND ((state <> 'Appealed'::text) OR (appeal IS NOT NULL)) AND ((state = ANY (ARRAY['Executed'::text, 'Reversed'::text])) = (decided_at IS NOT NULL)))),
    CONSTRAINT slashes_take_something CHECK (((from_staked + from_unbonding) > 0)),
    CONSTRAINT slashes_task_index_check CHECK ((task_index >= 0))
);

COMMENT ON TABLE tokenomics.slashes IS 'Stakes that wrong results cost; those escrowed or appealed add up to the system account Slashed';

COMMENT ON COLUMN tokenomics.slashes.locked_until IS 'Latest lock among the lots it was taken from: where a reversal puts it back, it is locked as long as it was';

COMMENT ON COLUMN tokenomics.slashes.available_at IS 'Latest date among the unbondings it was taken from, for the same purpose';

COMMENT ON COLUMN tokenomics.slashes.harmed_bp IS 'Share of the harmed requester, from the parameter when it was taken; 0 where the slashed owner had asked for the work itself';

COMMENT ON COLUMN tokenomics.slashes.evidence IS 'Equivocation: both receipts with signatures and the key. json, not jsonb: kept as written';

COMMENT ON COLUMN tokenomics.slashes.decided_by IS 'Account or proposal that decided the appeal; null: nobody appealed in time';

CREATE TABLE tokenomics.stake_accruals (
    owner uuid NOT NULL,
    numerator numeric(39,0) NOT NULL,
    accrued_to timestamp with time zone NOT NULL,
    paid bigint DEFAULT 0 NOT NULL,
    paid_day date NOT NULL,
    CONSTRAINT stake_accruals_numerator_check CHECK ((numerator >= (0)::numeric)),
    CONSTRAINT stake_accruals_paid_check CHECK ((paid >= 0))
);

COMMENT ON TABLE tokenomics.stake_accruals IS 'What each owner''s stake has earned and not been paid, exactly; a row from the first stake on';

COMMENT ON COLUMN tokenomics.stake_accruals.numerator IS 'Micro-credits x microseconds x basis points; a year (365 days) x 10 000 of it is one micro-credit. What a payment leaves stays here';

COMMENT ON COLUMN tokenomics.stake_accruals.accrued_to IS 'Up to when the numerator counts; from then on the stake is what the staked account says';

COMMENT ON COLUMN tokenomics.stake_accruals.paid IS 'Micro-credits ever paid; a running figure that the reconciler re-derives';

COMMENT ON COLUMN tokenomics.stake_accruals.paid_day IS 'Last UTC day on which it was paid, or the day of the first stake';

CREATE TABLE tokenomics.stakes (
    id uuid NOT NULL,
    owner uuid NOT NULL,
    initial bigint NOT NULL,
    amount bigint NOT NULL,
    staked_at timestamp with time zone NOT NULL,
    locked_until timestamp with time zone NOT NULL,
    CONSTRAINT stakes_check CHECK (((amount >= 0) AND (amount <= initial))),
    CONSTRAINT stakes_initial_check CHECK ((initial > 0))
);

COMMENT ON TABLE tokenomics.stakes IS 'Lots: one per stake; the open amounts of an owner add up to its staked account';

COMMENT ON COLUMN tokenomics.stakes.initial IS 'What was staked at once';

COMMENT ON COLUMN tokenomics.stakes.amount IS 'What is still staked of it; 0: closed';

COMMENT ON COLUMN tokenomics.stakes.locked_until IS 'From the lock in force when it was staked; a later change of the parameter does not move it';

CREATE TABLE tokenomics.transfers (
    number bigint NOT NULL,
    kind text NOT NULL,
    idempotency_key text NOT NULL,
    job_id uuid,
    task_index integer,
    cause json,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT transfers_idempotency_key_check CHECK (((length(idempotency_key) >= 1) AND (length(idempotency_key) <= 200))),
    CONSTRAINT transfers_kind_check CHECK ((kind = ANY (ARRAY['Genesis'::text, 'FaucetGrant'::text, 'Hold'::text, 'Settlement'::text, 'Release'::text, 'Stake'::text, 'Unstake'::text, 'Claim'::text, 'StakingReward'::text, 'Slash'::text, 'SlashExecution'::text, 'SlashReversal'::text, 'TreasuryGrant'::text]))),
    CONSTRAINT transfers_task_index_check CHECK ((task_index >= 0))
);

COMMENT ON TABLE tokenomics.transfers IS 'The journal, append-only. Numbers of rolled-back transactions stay unused';

COMMENT ON COLUMN tokenomics.transfers.cause IS 'Why these amounts: cost, payees with device and attempt, shortfall. json, not jsonb: the text is hashed as written';

ALTER TABLE tokenomics.transfers ALTER COLUMN number ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME tokenomics.transfers_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE tokenomics.unbondings (
    id uuid NOT NULL,
    owner uuid NOT NULL,
    initial bigint NOT NULL,
    amount bigint NOT NULL,
    started_at timestamp with time zone NOT NULL,
    available_at timestamp with time zone NOT NULL,
    claimed_at timestamp with time zone,
    CONSTRAINT unbondings_check CHECK (((amount >= 0) AND (amount <= initial))),
    CONSTRAINT unbondings_initial_check CHECK ((initial > 0))
);

COMMENT ON TABLE tokenomics.unbondings IS 'One per unstaking; the unclaimed amounts of an owner add up to its unbonding account';

COMMENT ON COLUMN tokenomics.unbondings.initial IS 'What was unstaked at once';

COMMENT ON COLUMN tokenomics.unbondings.amount IS 'What slashes have left of it; once claimed: what was claimed';

COMMENT ON COLUMN tokenomics.unbondings.available_at IS 'When it can be claimed, from the period in force when it was unstaked';

ALTER TABLE ONLY artifacts.blobs
    ADD CONSTRAINT blobs_pkey PRIMARY KEY (sha256);

ALTER TABLE ONLY artifacts.grants
    ADD CONSTRAINT grants_pkey PRIMARY KEY (sha256, account_id);

ALTER TABLE ONLY audit.entries
    ADD CONSTRAINT entries_pkey PRIMARY KEY (id);

ALTER TABLE ONLY audit.seals
    ADD CONSTRAINT seals_pkey PRIMARY KEY (entry);

ALTER TABLE ONLY benchmarks.points
    ADD CONSTRAINT points_pkey PRIMARY KEY (run_id, second);

ALTER TABLE ONLY benchmarks.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (id);

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

ALTER TABLE ONLY identity.compute_reservations
    ADD CONSTRAINT compute_reservations_pkey PRIMARY KEY (job);

ALTER TABLE ONLY identity.login_failures
    ADD CONSTRAINT login_failures_pkey PRIMARY KEY (key);

ALTER TABLE ONLY identity.password_resets
    ADD CONSTRAINT password_resets_pkey PRIMARY KEY (email_key);

ALTER TABLE ONLY identity.password_resets
    ADD CONSTRAINT password_resets_secret_hash_key UNIQUE (secret_hash);

ALTER TABLE ONLY identity.recovery_codes
    ADD CONSTRAINT recovery_codes_pkey PRIMARY KEY (account_id, code_hash);

ALTER TABLE ONLY identity.session_tokens
    ADD CONSTRAINT session_tokens_pkey PRIMARY KEY (secret_hash);

ALTER TABLE ONLY identity.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY identity.setup_token
    ADD CONSTRAINT setup_token_pkey PRIMARY KEY (single);

ALTER TABLE ONLY identity.usage
    ADD CONSTRAINT usage_pkey PRIMARY KEY (day, account);

ALTER TABLE ONLY identity.users
    ADD CONSTRAINT users_email_key_key UNIQUE (email_key);

ALTER TABLE ONLY identity.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY idle_compute.device_presence
    ADD CONSTRAINT device_presence_pkey PRIMARY KEY (device_id);

ALTER TABLE ONLY idle_compute.devices
    ADD CONSTRAINT devices_key_hash_key UNIQUE (key_hash);

ALTER TABLE ONLY idle_compute.devices
    ADD CONSTRAINT devices_pkey PRIMARY KEY (id);

ALTER TABLE ONLY platform.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (account_id, command, key);

ALTER TABLE ONLY platform.recurring_jobs
    ADD CONSTRAINT recurring_jobs_pkey PRIMARY KEY (name);

ALTER TABLE ONLY platform.recurring_runs
    ADD CONSTRAINT recurring_runs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY platform.schema_migrations
    ADD CONSTRAINT schema_migrations_name_key UNIQUE (name);

ALTER TABLE ONLY platform.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (number);

ALTER TABLE ONLY platform.servers
    ADD CONSTRAINT servers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY quartz.qrtz_blob_triggers
    ADD CONSTRAINT qrtz_blob_triggers_pkey PRIMARY KEY (sched_name, trigger_name, trigger_group);

ALTER TABLE ONLY quartz.qrtz_calendars
    ADD CONSTRAINT qrtz_calendars_pkey PRIMARY KEY (sched_name, calendar_name);

ALTER TABLE ONLY quartz.qrtz_cron_triggers
    ADD CONSTRAINT qrtz_cron_triggers_pkey PRIMARY KEY (sched_name, trigger_name, trigger_group);

ALTER TABLE ONLY quartz.qrtz_fired_triggers
    ADD CONSTRAINT qrtz_fired_triggers_pkey PRIMARY KEY (sched_name, entry_id);

ALTER TABLE ONLY quartz.qrtz_job_details
    ADD CONSTRAINT qrtz_job_details_pkey PRIMARY KEY (sched_name, job_name, job_group);

ALTER TABLE ONLY quartz.qrtz_locks
    ADD CONSTRAINT qrtz_locks_pkey PRIMARY KEY (sched_name, lock_name);

ALTER TABLE ONLY quartz.qrtz_paused_job_grps
    ADD CONSTRAINT qrtz_paused_job_grps_pkey PRIMARY KEY (sched_name, job_group);

ALTER TABLE ONLY quartz.qrtz_paused_trigger_grps
    ADD CONSTRAINT qrtz_paused_trigger_grps_pkey PRIMARY KEY (sched_name, trigger_group);

ALTER TABLE ONLY quartz.qrtz_scheduler_state
    ADD CONSTRAINT qrtz_scheduler_state_pkey PRIMARY KEY (sched_name, instance_name);

ALTER TABLE ONLY quartz.qrtz_simple_triggers
    ADD CONSTRAINT qrtz_simple_triggers_pkey PRIMARY KEY (sched_name, trigger_name, trigger_group);

ALTER TABLE ONLY quartz.qrtz_simprop_triggers
    ADD CONSTRAINT qrtz_simprop_triggers_pkey PRIMARY KEY (sched_name, trigger_name, trigger_group);

ALTER TABLE ONLY quartz.qrtz_triggers
    ADD CONSTRAINT qrtz_triggers_pkey PRIMARY KEY (sched_name, trigger_name, trigger_group);

ALTER TABLE ONLY realtime.tickets
    ADD CONSTRAINT tickets_pkey PRIMARY KEY (hash);

ALTER TABLE ONLY scheduler.attempts
    ADD CONSTRAINT attempts_job_id_task_index_epoch_key UNIQUE (job_id, task_index, epoch);

ALTER TABLE ONLY scheduler.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY scheduler.event_positions
    ADD CONSTRAINT event_positions_pkey PRIMARY KEY (single);

ALTER TABLE ONLY scheduler.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (id);

ALTER TABLE ONLY scheduler.job_dependencies
    ADD CONSTRAINT job_dependencies_pkey PRIMARY KEY (job_id, depends_on);

ALTER TABLE ONLY scheduler.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY scheduler.lines
    ADD CONSTRAINT lines_pkey PRIMARY KEY (account_id, priority);

ALTER TABLE ONLY scheduler.passes
    ADD CONSTRAINT passes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY scheduler.quotes
    ADD CONSTRAINT quotes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY scheduler.tasks
    ADD CONSTRAINT tasks_pkey PRIMARY KEY (job_id, index);

ALTER TABLE ONLY tokenomics.accounts
    ADD CONSTRAINT accounts_owner_kind_key UNIQUE NULLS NOT DISTINCT (owner, kind);

ALTER TABLE ONLY tokenomics.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY tokenomics.ballot_history
    ADD CONSTRAINT ballot_history_pkey PRIMARY KEY (number);

ALTER TABLE ONLY tokenomics.ballot_powers
    ADD CONSTRAINT ballot_powers_pkey PRIMARY KEY (proposal, owner);

ALTER TABLE ONLY tokenomics.ballots
    ADD CONSTRAINT ballots_pkey PRIMARY KEY (proposal, voter);

ALTER TABLE ONLY tokenomics.ballots
    ADD CONSTRAINT ballots_proposal_number_key UNIQUE (proposal, number);

ALTER TABLE ONLY tokenomics.block_totals
    ADD CONSTRAINT block_totals_pkey PRIMARY KEY (block);

ALTER TABLE ONLY tokenomics.blocks
    ADD CONSTRAINT blocks_hash_key UNIQUE (hash);

ALTER TABLE ONLY tokenomics.blocks
    ADD CONSTRAINT blocks_pkey PRIMARY KEY (number);

ALTER TABLE ONLY tokenomics.checkpoints
    ADD CONSTRAINT checkpoints_pkey PRIMARY KEY (day);

ALTER TABLE ONLY tokenomics.delegations
    ADD CONSTRAINT delegations_pkey PRIMARY KEY (number);

ALTER TABLE ONLY tokenomics.holds
    ADD CONSTRAINT holds_pkey PRIMARY KEY (job_id);

ALTER TABLE ONLY tokenomics.owners
    ADD CONSTRAINT owners_address_key UNIQUE (address);

ALTER TABLE ONLY tokenomics.owners
    ADD CONSTRAINT owners_pkey PRIMARY KEY (id);

ALTER TABLE ONLY tokenomics.parameter_changes
    ADD CONSTRAINT parameter_changes_pkey PRIMARY KEY (version);

ALTER TABLE ONLY tokenomics.postings
    ADD CONSTRAINT postings_pkey PRIMARY KEY (transfer, account_id);

ALTER TABLE ONLY tokenomics.proposal_history
    ADD CONSTRAINT proposal_history_pkey PRIMARY KEY (number);

ALTER TABLE ONLY tokenomics.proposals
    ADD CONSTRAINT proposals_number_key UNIQUE (number);

ALTER TABLE ONLY tokenomics.proposals
    ADD CONSTRAINT proposals_pkey PRIMARY KEY (id);

ALTER TABLE ONLY tokenomics.reconciliations
    ADD CONSTRAINT reconciliations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY tokenomics.rehearsals
    ADD CONSTRAINT rehearsals_pkey PRIMARY KEY (id);

ALTER TABLE ONLY tokenomics.slashes
    ADD CONSTRAINT slashes_attempt_id_reason_key UNIQUE (attempt_id, reason);

ALTER TABLE ONLY tokenomics.slashes
    ADD CONSTRAINT slashes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY tokenomics.stake_accruals
    ADD CONSTRAINT stake_accruals_pkey PRIMARY KEY (owner);

ALTER TABLE ONLY tokenomics.stakes
    ADD CONSTRAINT stakes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY tokenomics.transfers
    ADD CONSTRAINT transfers_idempotency_key_key UNIQUE (idempotency_key);

ALTER TABLE ONLY tokenomics.transfers
    ADD CONSTRAINT transfers_pkey PRIMARY KEY (number);

ALTER TABLE ONLY tokenomics.unbondings
    ADD CONSTRAINT unbondings_pkey PRIMARY KEY (id);

CREATE INDEX grants_account ON artifacts.grants USING btree (account_id, created_at);

CREATE INDEX entries_by_action ON audit.entries USING btree (action text_pattern_ops, id);

CREATE INDEX entries_by_time ON audit.entries USING btree (at);

CREATE INDEX entries_of_account ON audit.entries USING btree (account, id);

CREATE INDEX runs_newest ON benchmarks.runs USING btree (started_at DESC, id DESC);

CREATE UNIQUE INDEX runs_one_at_a_time ON benchmarks.runs USING btree ((true)) WHERE (state = 'Running'::text);

CREATE INDEX access_keys_account ON identity.access_keys USING btree (account_id);

CREATE INDEX compute_reservations_of_day ON identity.compute_reservations USING btree (account, day);

CREATE INDEX login_failures_by_age ON identity.login_failures USING btree (last_at);

CREATE INDEX session_tokens_by_expiry ON identity.session_tokens USING btree (expires_at);

CREATE INDEX session_tokens_of_session ON identity.session_tokens USING btree (session_id);

CREATE INDEX sessions_by_end ON identity.sessions USING btree (expires_at);

CREATE INDEX sessions_of_account ON identity.sessions USING btree (account_id) WHERE (ended_at IS NULL);

CREATE INDEX devices_account ON idle_compute.devices USING btree (account_id);

CREATE INDEX idempotency_keys_by_age ON platform.idempotency_keys USING btree (created_at);

COMMENT ON INDEX platform.idempotency_keys_by_age IS 'Finds the keys that ForgetIdempotencyKeys deletes after 24 h';

CREATE INDEX recurring_runs_of_job ON platform.recurring_runs USING btree (job, id DESC);

CREATE INDEX recurring_runs_open ON platform.recurring_runs USING btree (id) WHERE (outcome = ANY (ARRAY['queued'::text, 'running'::text]));

CREATE INDEX idx_qrtz_ft_inst_job_req_rcvry ON quartz.qrtz_fired_triggers USING btree (sched_name, instance_name, requests_recovery);

CREATE INDEX idx_qrtz_ft_j_g ON quartz.qrtz_fired_triggers USING btree (sched_name, job_name, job_group);

CREATE INDEX idx_qrtz_ft_t_g ON quartz.qrtz_fired_triggers USING btree (sched_name, trigger_name, trigger_group);

CREATE INDEX idx_qrtz_j_g_n ON quartz.qrtz_job_details USING btree (sched_name, job_group, job_name);

CREATE INDEX idx_qrtz_t_c ON quartz.qrtz_triggers USING btree (sched_name, calendar_name);

CREATE INDEX idx_qrtz_t_g_n ON quartz.qrtz_triggers USING btree (sched_name, trigger_group, trigger_name);

CREATE INDEX idx_qrtz_t_j ON quartz.qrtz_triggers USING btree (sched_name, job_name, job_group);

CREATE INDEX idx_qrtz_t_nft_st ON quartz.qrtz_triggers USING btree (sched_name, trigger_state, next_fire_time, priority DESC, misfire_instr);

CREATE INDEX tickets_by_expiry ON realtime.tickets USING btree (expires_at);

CREATE INDEX attempts_failed ON scheduler.attempts USING btree (finished_at, id) WHERE (state = ANY (ARRAY['Rejected'::text, 'Declined'::text, 'Evicted'::text, 'Preempted'::text, 'TimedOut'::text, 'Crashed'::text, 'Lost'::text]));

CREATE INDEX attempts_live_by_device ON scheduler.attempts USING btree (device_id, expires_at) WHERE (state = ANY (ARRAY['Leased'::text, 'Staging'::text, 'Running'::text, 'Uploading'::text]));

CREATE UNIQUE INDEX attempts_one_live_per_replica ON scheduler.attempts USING btree (job_id, task_index, replica) WHERE (state = ANY (ARRAY['Leased'::text, 'Staging'::text, 'Running'::text, 'Uploading'::text, 'Reported'::text]));

CREATE INDEX attempts_under_notice ON scheduler.attempts USING btree (notice_until) WHERE ((notice_until IS NOT NULL) AND (state = ANY (ARRAY['Leased'::text, 'Staging'::text, 'Running'::text, 'Uploading'::text])));

CREATE UNIQUE INDEX events_by_position ON scheduler.events USING btree ("position") WHERE ("position" IS NOT NULL);

CREATE INDEX events_of_account ON scheduler.events USING btree (account_id, "position") WHERE ("position" IS NOT NULL);

CREATE INDEX events_unsealed ON scheduler.events USING btree (id) WHERE ("position" IS NULL);

CREATE INDEX job_dependencies_depends_on ON scheduler.job_dependencies USING btree (depends_on);

CREATE INDEX jobs_account ON scheduler.jobs USING btree (account_id, id);

CREATE INDEX jobs_failed ON scheduler.jobs USING btree (finished_at, id) WHERE (state = ANY (ARRAY['Failed'::text, 'Expired'::text]));

CREATE INDEX jobs_limited ON scheduler.jobs USING btree (id) WHERE ((max_concurrent IS NOT NULL) AND (state = ANY (ARRAY['Admitted'::text, 'Running'::text])));

CREATE INDEX jobs_open ON scheduler.jobs USING btree (priority DESC, submitted_at, id) WHERE (state = ANY (ARRAY['Admitted'::text, 'Running'::text, 'Paused'::text]));

CREATE INDEX jobs_unwritten ON scheduler.jobs USING btree (id) WHERE ((materialised < task_count) AND (state = ANY (ARRAY['Admitted'::text, 'Running'::text])));

CREATE INDEX jobs_within_quote ON scheduler.jobs USING btree (finished_at) WHERE (within_quote IS NOT NULL);

CREATE INDEX passes_at ON scheduler.passes USING btree (at);

CREATE INDEX quotes_expires_at ON scheduler.quotes USING btree (expires_at);

CREATE INDEX tasks_finished ON scheduler.tasks USING btree (finished_at) WHERE (finished_at IS NOT NULL);

CREATE INDEX tasks_open ON scheduler.tasks USING btree (job_id, index) WHERE (open_slots > 0);

CREATE INDEX ballot_history_of_ballot ON tokenomics.ballot_history USING btree (proposal, voter, number);

CREATE INDEX ballot_powers_of_owner ON tokenomics.ballot_powers USING btree (owner);

CREATE INDEX ballot_powers_through ON tokenomics.ballot_powers USING btree (proposal, through);

CREATE INDEX block_totals_by_time ON tokenomics.block_totals USING btree (sealed_at, block);

CREATE INDEX delegations_of_owner ON tokenomics.delegations USING btree (owner, number DESC);

CREATE INDEX delegations_to ON tokenomics.delegations USING btree (delegate, number DESC) WHERE (delegate IS NOT NULL);

CREATE INDEX holds_open ON tokenomics.holds USING btree (owner) WHERE (state = 'Open'::text);

CREATE INDEX parameter_changes_of_name ON tokenomics.parameter_changes USING btree (name, version DESC);

CREATE INDEX postings_of_account ON tokenomics.postings USING btree (account_id, at DESC, transfer DESC);

CREATE INDEX proposal_history_of_proposal ON tokenomics.proposal_history USING btree (proposal, number);

CREATE INDEX proposals_due ON tokenomics.proposals USING btree (due_at) WHERE (due_at IS NOT NULL);

CREATE INDEX proposals_granted ON tokenomics.proposals USING btree (ended_at) WHERE (granted > 0);

CREATE INDEX proposals_open ON tokenomics.proposals USING btree (proposer) WHERE (end_state IS NULL);

CREATE INDEX rehearsals_of_proposal ON tokenomics.rehearsals USING btree (proposal, id DESC);

CREATE INDEX slashes_of_owner ON tokenomics.slashes USING btree (owner, created_at DESC, id DESC);

CREATE INDEX slashes_undecided ON tokenomics.slashes USING btree (appeal_until) WHERE (state = 'Escrowed'::text);

CREATE INDEX stakes_open ON tokenomics.stakes USING btree (owner, staked_at, id) WHERE (amount > 0);

CREATE INDEX transfers_of_job ON tokenomics.transfers USING btree (job_id) WHERE (job_id IS NOT NULL);

CREATE INDEX transfers_staking_rewards ON tokenomics.transfers USING btree (number) WHERE (kind = 'StakingReward'::text);

CREATE INDEX unbondings_open ON tokenomics.unbondings USING btree (owner, started_at, id) WHERE ((claimed_at IS NULL) AND (amount > 0));

CREATE TRIGGER entries_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON audit.entries FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

CREATE TRIGGER entries_take_transaction_id BEFORE INSERT ON audit.entries FOR EACH STATEMENT EXECUTE FUNCTION audit.take_transaction_id();

CREATE TRIGGER seals_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON audit.seals FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

CREATE TRIGGER devices_tell_of_registration AFTER INSERT ON idle_compute.devices FOR EACH ROW EXECUTE FUNCTION scheduler.tell_of_device();

CREATE TRIGGER devices_tell_of_state AFTER UPDATE ON idle_compute.devices FOR EACH ROW WHEN (((old.state <> new.state) OR (old.state_reason IS DISTINCT FROM new.state_reason))) EXECUTE FUNCTION scheduler.tell_of_device();

CREATE TRIGGER jobs_tell_of_state AFTER UPDATE ON scheduler.jobs FOR EACH ROW WHEN ((old.state <> new.state)) EXECUTE FUNCTION scheduler.tell_of_job();

CREATE TRIGGER jobs_tell_of_submit AFTER INSERT ON scheduler.jobs FOR EACH ROW EXECUTE FUNCTION scheduler.tell_of_job();

CREATE TRIGGER accounts_keep_identity BEFORE UPDATE OF id, owner, kind ON tokenomics.accounts FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TRIGGER accounts_stay BEFORE DELETE OR TRUNCATE ON tokenomics.accounts FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TRIGGER ballot_history_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON tokenomics.ballot_history FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TRIGGER block_totals_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON tokenomics.block_totals FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TRIGGER blocks_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON tokenomics.blocks FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TRIGGER checkpoints_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON tokenomics.checkpoints FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TRIGGER delegations_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON tokenomics.delegations FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TRIGGER parameter_changes_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON tokenomics.parameter_changes FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TRIGGER postings_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON tokenomics.postings FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TRIGGER postings_balance AFTER INSERT ON tokenomics.postings REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.require_balance();

CREATE TRIGGER proposal_history_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON tokenomics.proposal_history FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TRIGGER proposals_keep_content BEFORE UPDATE OF id, proposer, title, description, payload, actions_hash, delay_seconds, voting_seconds, quorum_bp, approval_bp, late_quorum_seconds, timelock_seconds, grace_seconds, created_at ON tokenomics.proposals FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TRIGGER proposals_keep_end BEFORE UPDATE ON tokenomics.proposals FOR EACH ROW WHEN ((old.end_state IS NOT NULL)) EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TRIGGER proposals_stay BEFORE DELETE OR TRUNCATE ON tokenomics.proposals FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TRIGGER slashes_keep_identity BEFORE UPDATE OF id, owner, reason, from_staked, from_unbonding, locked_until, available_at, harmed, harmed_bp, job_id, task_index, device_id, attempt_id, evidence, created_at, appeal_until ON tokenomics.slashes FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TRIGGER slashes_stay BEFORE DELETE OR TRUNCATE ON tokenomics.slashes FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TRIGGER stakes_keep_identity BEFORE UPDATE OF id, owner, initial, staked_at, locked_until ON tokenomics.stakes FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TRIGGER stakes_stay BEFORE DELETE OR TRUNCATE ON tokenomics.stakes FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TRIGGER transfers_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON tokenomics.transfers FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TRIGGER transfers_take_transaction_id BEFORE INSERT ON tokenomics.transfers FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.take_transaction_id();

CREATE TRIGGER unbondings_keep_identity BEFORE UPDATE OF id, owner, initial, started_at, available_at ON tokenomics.unbondings FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TRIGGER unbondings_stay BEFORE DELETE OR TRUNCATE ON tokenomics.unbondings FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

ALTER TABLE ONLY artifacts.grants
    ADD CONSTRAINT grants_account_id_fkey FOREIGN KEY (account_id) REFERENCES identity.accounts(id);

ALTER TABLE ONLY artifacts.grants
    ADD CONSTRAINT grants_sha256_fkey FOREIGN KEY (sha256) REFERENCES artifacts.blobs(sha256);

ALTER TABLE ONLY benchmarks.points
    ADD CONSTRAINT points_run_id_fkey FOREIGN KEY (run_id) REFERENCES benchmarks.runs(id) ON DELETE CASCADE;

ALTER TABLE ONLY identity.access_keys
    ADD CONSTRAINT access_keys_account_id_fkey FOREIGN KEY (account_id) REFERENCES identity.accounts(id);

ALTER TABLE ONLY identity.recovery_codes
    ADD CONSTRAINT recovery_codes_account_id_fkey FOREIGN KEY (account_id) REFERENCES identity.users(account_id) ON DELETE CASCADE;

ALTER TABLE ONLY identity.session_tokens
    ADD CONSTRAINT session_tokens_session_id_fkey FOREIGN KEY (session_id) REFERENCES identity.sessions(id) ON DELETE CASCADE;

ALTER TABLE ONLY identity.sessions
    ADD CONSTRAINT sessions_account_id_fkey FOREIGN KEY (account_id) REFERENCES identity.users(account_id);

ALTER TABLE ONLY identity.users
    ADD CONSTRAINT users_account_id_fkey FOREIGN KEY (account_id) REFERENCES identity.accounts(id);

ALTER TABLE ONLY idle_compute.device_presence
    ADD CONSTRAINT device_presence_device_id_fkey FOREIGN KEY (device_id) REFERENCES idle_compute.devices(id);

ALTER TABLE ONLY idle_compute.devices
    ADD CONSTRAINT devices_account_id_fkey FOREIGN KEY (account_id) REFERENCES identity.accounts(id);

ALTER TABLE ONLY quartz.qrtz_blob_triggers
    ADD CONSTRAINT qrtz_blob_triggers_sched_name_trigger_name_trigger_group_fkey FOREIGN KEY (sched_name, trigger_name, trigger_group) REFERENCES quartz.qrtz_triggers(sched_name, trigger_name, trigger_group) ON DELETE CASCADE;

ALTER TABLE ONLY quartz.qrtz_cron_triggers
    ADD CONSTRAINT qrtz_cron_triggers_sched_name_trigger_name_trigger_group_fkey FOREIGN KEY (sched_name, trigger_name, trigger_group) REFERENCES quartz.qrtz_triggers(sched_name, trigger_name, trigger_group) ON DELETE CASCADE;

ALTER TABLE ONLY quartz.qrtz_simple_triggers
    ADD CONSTRAINT qrtz_simple_triggers_sched_name_trigger_name_trigger_group_fkey FOREIGN KEY (sched_name, trigger_name, trigger_group) REFERENCES quartz.qrtz_triggers(sched_name, trigger_name, trigger_group) ON DELETE CASCADE;

ALTER TABLE ONLY quartz.qrtz_simprop_triggers
    ADD CONSTRAINT qrtz_simprop_triggers_sched_name_trigger_name_trigger_grou_fkey FOREIGN KEY (sched_name, trigger_name, trigger_group) REFERENCES quartz.qrtz_triggers(sched_name, trigger_name, trigger_group) ON DELETE CASCADE;

ALTER TABLE ONLY quartz.qrtz_triggers
    ADD CONSTRAINT qrtz_triggers_sched_name_job_name_job_group_fkey FOREIGN KEY (sched_name, job_name, job_group) REFERENCES quartz.qrtz_job_details(sched_name, job_name, job_group);

ALTER TABLE ONLY scheduler.attempts
    ADD CONSTRAINT attempts_device_id_fkey FOREIGN KEY (device_id) REFERENCES idle_compute.devices(id);

ALTER TABLE ONLY scheduler.attempts
    ADD CONSTRAINT attempts_job_id_task_index_fkey FOREIGN KEY (job_id, task_index) REFERENCES scheduler.tasks(job_id, index);

ALTER TABLE ONLY scheduler.job_dependencies
    ADD CONSTRAINT job_dependencies_depends_on_fkey FOREIGN KEY (depends_on) REFERENCES scheduler.jobs(id);

ALTER TABLE ONLY scheduler.job_dependencies
    ADD CONSTRAINT job_dependencies_job_id_fkey FOREIGN KEY (job_id) REFERENCES scheduler.jobs(id);

ALTER TABLE ONLY scheduler.jobs
    ADD CONSTRAINT jobs_account_id_fkey FOREIGN KEY (account_id) REFERENCES identity.accounts(id);

ALTER TABLE ONLY scheduler.lines
    ADD CONSTRAINT lines_account_id_fkey FOREIGN KEY (account_id) REFERENCES identity.accounts(id);

ALTER TABLE ONLY scheduler.quotes
    ADD CONSTRAINT quotes_account_id_fkey FOREIGN KEY (account_id) REFERENCES identity.accounts(id);

ALTER TABLE ONLY scheduler.tasks
    ADD CONSTRAINT tasks_job_id_fkey FOREIGN KEY (job_id) REFERENCES scheduler.jobs(id);

ALTER TABLE ONLY tokenomics.accounts
    ADD CONSTRAINT accounts_owner_fkey FOREIGN KEY (owner) REFERENCES tokenomics.owners(id);

ALTER TABLE ONLY tokenomics.ballot_history
    ADD CONSTRAINT ballot_history_proposal_voter_fkey FOREIGN KEY (proposal, voter) REFERENCES tokenomics.ballots(proposal, voter);

ALTER TABLE ONLY tokenomics.ballot_powers
    ADD CONSTRAINT ballot_powers_owner_fkey FOREIGN KEY (owner) REFERENCES tokenomics.owners(id);

ALTER TABLE ONLY tokenomics.ballot_powers
    ADD CONSTRAINT ballot_powers_proposal_through_fkey FOREIGN KEY (proposal, through) REFERENCES tokenomics.ballots(proposal, voter);

ALTER TABLE ONLY tokenomics.ballots
    ADD CONSTRAINT ballots_proposal_fkey FOREIGN KEY (proposal) REFERENCES tokenomics.proposals(id);

ALTER TABLE ONLY tokenomics.ballots
    ADD CONSTRAINT ballots_voter_fkey FOREIGN KEY (voter) REFERENCES tokenomics.owners(id);

ALTER TABLE ONLY tokenomics.block_totals
    ADD CONSTRAINT block_totals_block_fkey FOREIGN KEY (block) REFERENCES tokenomics.blocks(number);

ALTER TABLE ONLY tokenomics.checkpoints
    ADD CONSTRAINT checkpoints_block_fkey FOREIGN KEY (block) REFERENCES tokenomics.blocks(number);

ALTER TABLE ONLY tokenomics.delegations
    ADD CONSTRAINT delegations_delegate_fkey FOREIGN KEY (delegate) REFERENCES tokenomics.owners(id);

ALTER TABLE ONLY tokenomics.delegations
    ADD CONSTRAINT delegations_owner_fkey FOREIGN KEY (owner) REFERENCES tokenomics.owners(id);

ALTER TABLE ONLY tokenomics.holds
    ADD CONSTRAINT holds_owner_fkey FOREIGN KEY (owner) REFERENCES tokenomics.owners(id);

ALTER TABLE ONLY tokenomics.owners
    ADD CONSTRAINT owners_id_fkey FOREIGN KEY (id) REFERENCES identity.accounts(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY tokenomics.proposal_history
    ADD CONSTRAINT proposal_history_proposal_fkey FOREIGN KEY (proposal) REFERENCES tokenomics.proposals(id);

ALTER TABLE ONLY tokenomics.proposals
    ADD CONSTRAINT proposals_proposer_fkey FOREIGN KEY (proposer) REFERENCES tokenomics.owners(id);

ALTER TABLE ONLY tokenomics.slashes
    ADD CONSTRAINT slashes_harmed_fkey FOREIGN KEY (harmed) REFERENCES tokenomics.owners(id);

ALTER TABLE ONLY tokenomics.slashes
    ADD CONSTRAINT slashes_owner_fkey FOREIGN KEY (owner) REFERENCES tokenomics.owners(id);

ALTER TABLE ONLY tokenomics.stake_accruals
    ADD CONSTRAINT stake_accruals_owner_fkey FOREIGN KEY (owner) REFERENCES tokenomics.owners(id);

ALTER TABLE ONLY tokenomics.stakes
    ADD CONSTRAINT stakes_owner_fkey FOREIGN KEY (owner) REFERENCES tokenomics.owners(id);

ALTER TABLE ONLY tokenomics.unbondings
    ADD CONSTRAINT unbondings_owner_fkey FOREIGN KEY (owner) REFERENCES tokenomics.owners(id);
