CREATE SCHEMA scheduler;

CREATE TABLE scheduler.jobs (
    id                 uuid        PRIMARY KEY,
    account_id         uuid        NOT NULL REFERENCES identity.accounts (id),
    name               text        NOT NULL,
    state              text        NOT NULL,
    state_reason       text,
    sla_tier           text        NOT NULL,
    cpu_millicores     integer     NOT NULL,
    memory_bytes       bigint      NOT NULL,
    gpus               integer     NOT NULL,
    isolation          text        NOT NULL,
    network            text        NOT NULL,
    payload_kind       text        NOT NULL,
    labels             text[]      NOT NULL,
    regions            text[]      NOT NULL,
    excluded_devices   text[]      NOT NULL,
    priority           integer     NOT NULL,
    retries            integer     NOT NULL,
    deterministic      boolean     NOT NULL,
    privacy_level      text        NOT NULL,
    estimate_ms        bigint      NOT NULL,
    queue_seconds      integer     NOT NULL,
    stage_in_seconds   integer     NOT NULL,
    wall_seconds       integer     NOT NULL,
    stage_out_seconds  integer     NOT NULL,
    memory_limit_bytes bigint      NOT NULL,
    disk_limit_bytes   bigint      NOT NULL,
    output_limit_bytes bigint      NOT NULL,
    process_limit      integer     NOT NULL,
    specification      jsonb       NOT NULL,
    deadline           timestamptz,
    quote_micro        bigint      NOT NULL,
    hold_per_task_micro bigint     NOT NULL,
    charged_micro      bigint      NOT NULL,
    task_count         integer     NOT NULL CHECK (task_count BETWEEN 1 AND 1000000),
    tasks_succeeded    integer     NOT NULL,
    tasks_failed       integer     NOT NULL,
    tasks_cancelled    integer     NOT NULL,
    dependencies_left  integer     NOT NULL CHECK (dependencies_left >= 0),
    submitted_at       timestamptz NOT NULL,
    started_at         timestamptz,
    finished_at        timestamptz,
    sla_met            boolean,
    CHECK (tasks_succeeded + tasks_failed + tasks_cancelled <= task_count)
);
COMMENT ON TABLE scheduler.jobs IS 'What requesters asked for; task counters are kept here so that the last task is seen under this row''s lock';
COMMENT ON COLUMN scheduler.jobs.specification IS 'Payload, inputs and output globs exactly as agents get them';
COMMENT ON COLUMN scheduler.jobs.quote_micro IS 'Micro-credits for the whole job; the hold is each task''s quote × 1.1';

CREATE INDEX jobs_open ON scheduler.jobs (priority DESC, submitted_at, id) WHERE state IN ('Admitted', 'Running', 'Paused');
CREATE INDEX jobs_account ON scheduler.jobs (account_id, id);

CREATE TABLE scheduler.job_dependencies (
    job_id     uuid NOT NULL REFERENCES scheduler.jobs (id),
    depends_on uuid NOT NULL REFERENCES scheduler.jobs (id),
    PRIMARY KEY (job_id, depends_on),
    CHECK (job_id <> depends_on)
);
COMMENT ON TABLE scheduler.job_dependencies IS 'A job names only jobs that exist already, so the graph cannot contain a cycle';
CREATE INDEX job_dependencies_depends_on ON scheduler.job_dependencies (depends_on);

CREATE TABLE scheduler.tasks (
    job_id         uuid        NOT NULL REFERENCES scheduler.jobs (id),
    index          integer     NOT NULL,
    state          text        NOT NULL,
    open_slots     smallint    NOT NULL CHECK (open_slots >= 0),
    epoch          integer     NOT NULL,
    job_errors     smallint    NOT NULL,
    device_losses  smallint    NOT NULL,
    evictions      smallint    NOT NULL,
    audited        boolean     NOT NULL,
    eligible_at    timestamptz NOT NULL,
    started_at     timestamptz,
    finished_at    timestamptz,
    output_digest  text,
    failure_reason text,
    cost_micro     bigint      NOT NULL,
    PRIMARY KEY (job_id, index)
) WITH (fillfactor = 70);
COMMENT ON TABLE scheduler.tasks IS 'Independently runnable units of a job, addressed by job and array index';
COMMENT ON COLUMN scheduler.tasks.open_slots IS 'Replicas that still need a device';
COMMENT ON COLUMN scheduler.tasks.epoch IS 'Fencing token: grows with each lease';

CREATE INDEX tasks_open ON scheduler.tasks (job_id, index) WHERE open_slots > 0;

CREATE TABLE scheduler.attempts (
    id                uuid        PRIMARY KEY,
    job_id            uuid        NOT NULL,
    task_index        integer     NOT NULL,
    device_id         text        NOT NULL REFERENCES idle_compute.devices (id),
    replica           smallint    NOT NULL,
    epoch             integer     NOT NULL,
    state             text        NOT NULL,
    reason            text,
    message           text,
    leased_at         timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    started_at        timestamptz,
    finished_at       timestamptz,
    exit_code         integer,
    wall_ms           bigint      NOT NULL,
    cpu_ms            bigint      NOT NULL,
    peak_memory_bytes bigint,
    output_digest     text,
    output            jsonb,
    stdout_sha256     text,
    stderr_sha256     text,
    log_tail          text,
    log_bytes         bigint      NOT NULL,
    signature         text,
    FOREIGN KEY (job_id, task_index) REFERENCES scheduler.tasks (job_id, index),
    UNIQUE (job_id, task_index, epoch)
) WITH (fillfactor = 70);
COMMENT ON TABLE scheduler.attempts IS 'One run of a task replica on one device, with the receipt the device signed';
COMMENT ON COLUMN scheduler.attempts.signature IS 'ECDSA P-256 over the receipt (device, attempt, epoch, outcome, digest, usage)';

-- One live lease per task and replica, whatever the code does.
CREATE UNIQUE INDEX attempts_one_live_per_replica ON scheduler.attempts (job_id, task_index, replica)
    WHERE state IN ('Leased', 'Staging', 'Running', 'Uploading', 'Reported');
CREATE INDEX attempts_live_by_device ON scheduler.attempts (device_id, expires_at)
    WHERE state IN ('Leased', 'Staging', 'Running', 'Uploading');
