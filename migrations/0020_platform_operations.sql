-- Recurring jobs: pauses, the history of runs, who runs; the tables of Quartz; what the operations page looks for.

ALTER TABLE platform.recurring_jobs
    ADD COLUMN paused_at timestamptz,
    ADD COLUMN paused_by uuid,
    ADD COLUMN last_server uuid,
    ADD COLUMN last_duration_ms double precision,
    ADD COLUMN p50_ms double precision,
    ADD COLUMN p95_ms double precision;
COMMENT ON COLUMN platform.recurring_jobs.paused_at IS 'It does not run by itself since then, on no control plane; null: it does';
COMMENT ON COLUMN platform.recurring_jobs.paused_by IS 'Account that paused it';
COMMENT ON COLUMN platform.recurring_jobs.last_server IS 'platform.servers.id of its last run; that server may be gone';
COMMENT ON COLUMN platform.recurring_jobs.p50_ms IS 'Of the last 256 runs on the server that wrote it last; null: see the history';

CREATE TABLE platform.recurring_runs (
    id uuid PRIMARY KEY,
    job text NOT NULL,
    trigger text NOT NULL CHECK (trigger IN ('period', 'signal', 'manual')),
    outcome text NOT NULL CHECK (outcome IN ('queued', 'running', 'succeeded', 'failed', 'interrupted')),
    asked_by uuid,
    server uuid,
    host text,
    started_at timestamptz,
    duration_ms double precision,
    runs integer NOT NULL DEFAULT 1 CHECK (runs >= 1),
    error_type text,
    error_message text,
    error_trace text
);
COMMENT ON TABLE platform.recurring_runs IS 'History of recurring jobs, the newest 1000 of each for seven days, and the manual runs that wait';
COMMENT ON COLUMN platform.recurring_runs.id IS 'UUIDv7: ordered by time';
COMMENT ON COLUMN platform.recurring_runs.asked_by IS 'Account that asked for a manual run';
COMMENT ON COLUMN platform.recurring_runs.runs IS 'Runs of a pump with the same outcome within a minute share a row, which shows the slowest of them';
CREATE INDEX recurring_runs_of_job ON platform.recurring_runs (job, id DESC);
CREATE INDEX recurring_runs_open ON platform.recurring_runs (id) WHERE outcome IN ('queued', 'running');

CREATE TABLE platform.servers (
    id uuid PRIMARY KEY,
    host text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    started_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    leads text[] NOT NULL,
    running text[] NOT NULL
);
COMMENT ON TABLE platform.servers IS 'Control-plane processes; each writes its row every two seconds and removes it when it stops';
COMMENT ON COLUMN platform.servers.leads IS 'Pumps that it runs';
COMMENT ON COLUMN platform.servers.running IS 'Recurring jobs that ran when it wrote';

-- Ends of the last seconds, hours and day. A task gets this entry once, with its last update.
CREATE INDEX tasks_finished ON scheduler.tasks (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX attempts_failed ON scheduler.attempts (finished_at, id)
    WHERE state IN ('Rejected', 'Declined', 'Evicted', 'Preempted', 'TimedOut', 'Crashed', 'Lost');
CREATE INDEX jobs_failed ON scheduler.jobs (finished_at, id) WHERE state IN ('Failed', 'Expired');

-- The tables of Quartz 4.7 for PostgreSQL; a test compares their columns with those that the package makes for itself.
CREATE SCHEMA quartz;

CREATE TABLE quartz.qrtz_job_details (
    sched_name text not null,
    job_name text not null,
    job_group text not null,
    description text null,
    job_class_name text not null,
    is_durable bool not null,
    is_nonconcurrent bool not null,
    is_update_data bool not null,
    requests_recovery bool not null,
    job_data bytea null,
    primary key (sched_name,job_name,job_group)
);
COMMENT ON TABLE quartz.qrtz_job_details IS 'Jobs that Quartz knows: one per schedule of RecurringJobTable';

CREATE TABLE quartz.qrtz_triggers (
    sched_name text not null,
    trigger_name text not null,
    trigger_group text not null,
    job_name text not null,
    job_group text not null,
    description text null,
    next_fire_time bigint null,
    prev_fire_time bigint null,
    priority integer null,
    trigger_state text not null,
    trigger_type text not null,
    start_time bigint not null,
    end_time bigint null,
    calendar_name text null,
    misfire_instr smallint null,
    misfire_orig_fire_time bigint null,
    execution_group varchar(200) null,
    preferred_node varchar(200) null,
    preferred_node_auto bool not null default false,
    retry_policy varchar(250) null,
    retry_attempt integer null,
    continues_trigger_name text null,
    continues_trigger_group text null,
    continuation_condition integer null,
    overlap_policy integer null,
    pause_reason varchar(250) null,
    paused_by varchar(200) null,
    paused_at bigint null,
    misfire_threshold bigint null,
    fixed_delay bool null,
    job_data bytea null,
    primary key (sched_name,trigger_name,trigger_group),
    foreign key (sched_name,job_name,job_group) references quartz.qrtz_job_details (sched_name,job_name,job_group)
);
COMMENT ON TABLE quartz.qrtz_triggers IS 'When each of them fires next, and manual runs that wait';

CREATE TABLE quartz.qrtz_simple_triggers (
    sched_name text not null,
    trigger_name text not null,
    trigger_group text not null,
    repeat_count bigint not null,
    repeat_interval bigint not null,
    times_triggered bigint not null,
    primary key (sched_name,trigger_name,trigger_group),
    foreign key (sched_name,trigger_name,trigger_group) references quartz.qrtz_triggers (sched_name,trigger_name,trigger_group) on delete cascade
);
COMMENT ON TABLE quartz.qrtz_simple_triggers IS 'The periods of the triggers';

CREATE TABLE quartz.qrtz_cron_triggers (
    sched_name text not null,
    trigger_name text not null,
    trigger_group text not null,
    cron_expression text not null,
    time_zone_id text,
    primary key (sched_name,trigger_name,trigger_group),
    foreign key (sched_name,trigger_name,trigger_group) references quartz.qrtz_triggers (sched_name,trigger_name,trigger_group) on delete cascade
);
COMMENT ON TABLE quartz.qrtz_cron_triggers IS 'Not used here; Quartz reads it';

CREATE TABLE quartz.qrtz_simprop_triggers (
    sched_name text not null,
    trigger_name text not null,
    trigger_group text not null,
    str_prop_1 text null,
    str_prop_2 text null,
    str_prop_3 text null,
    int_prop_1 integer null,
    int_prop_2 integer null,
    long_prop_1 bigint null,
    long_prop_2 bigint null,
    dec_prop_1 numeric null,
    dec_prop_2 numeric null,
    bool_prop_1 bool null,
    bool_prop_2 bool null,
    time_zone_id text null,
    primary key (sched_name,trigger_name,trigger_group),
    foreign key (sched_name,trigger_name,trigger_group) references quartz.qrtz_triggers (sched_name,trigger_name,trigger_group) on delete cascade
);
COMMENT ON TABLE quartz.qrtz_simprop_triggers IS 'Not used here; Quartz reads it';

CREATE TABLE quartz.qrtz_blob_triggers (
    sched_name text not null,
    trigger_name text not null,
    trigger_group text not null,
    blob_data bytea null,
    primary key (sched_name,trigger_name,trigger_group),
    foreign key (sched_name,trigger_name,trigger_group) references quartz.qrtz_triggers (sched_name,trigger_name,trigger_group) on delete cascade
);
COMMENT ON TABLE quartz.qrtz_blob_triggers IS 'Not used here; Quartz reads it';

CREATE TABLE quartz.qrtz_calendars (
    sched_name text not null,
    calendar_name text not null,
    calendar bytea not null,
    primary key (sched_name,calendar_name)
);
COMMENT ON TABLE quartz.qrtz_calendars IS 'Not used here; Quartz reads it';

CREATE TABLE quartz.qrtz_paused_trigger_grps (
    sched_name text not null,
    trigger_group text not null,
    pause_reason varchar(250) null,
    paused_by varchar(200) null,
    paused_at bigint null,
    primary key (sched_name,trigger_group)
);
COMMENT ON TABLE quartz.qrtz_paused_trigger_grps IS 'Not used here: pauses are in platform.recurring_jobs';

CREATE TABLE quartz.qrtz_paused_job_grps (
    sched_name text not null,
    job_group text not null,
    pause_reason varchar(250) null,
    paused_by varchar(200) null,
    paused_at bigint null,
    primary key (sched_name,job_group)
);
COMMENT ON TABLE quartz.qrtz_paused_job_grps IS 'Not used here: pauses are in platform.recurring_jobs';

CREATE TABLE quartz.qrtz_fired_triggers (
    sched_name text not null,
    entry_id text not null,
    trigger_name text not null,
    trigger_group text not null,
    instance_name text not null,
    fired_time bigint not null,
    sched_time bigint not null,
    priority integer not null,
    state text not null,
    job_name text null,
    job_group text null,
    is_nonconcurrent bool not null,
    requests_recovery bool null,
    execution_group varchar(200) null,
    progress integer null,
    progress_message varchar(250) null,
    interrupt_requested_time bigint null,
    primary key (sched_name,entry_id)
);
COMMENT ON TABLE quartz.qrtz_fired_triggers IS 'What is about to run or runs, and on which control plane';

CREATE TABLE quartz.qrtz_scheduler_state (
    sched_name text not null,
    instance_name text not null,
    last_checkin_time bigint not null,
    checkin_interval bigint not null,
    quartz_version varchar(20) null,
    primary key (sched_name,instance_name)
);
COMMENT ON TABLE quartz.qrtz_scheduler_state IS 'Control planes of the cluster and their last check-in';

CREATE TABLE quartz.qrtz_locks (
    sched_name text not null,
    lock_name text not null,
    primary key (sched_name,lock_name)
);
COMMENT ON TABLE quartz.qrtz_locks IS 'Rows that the control planes lock to take turns';

CREATE INDEX idx_qrtz_j_g_n ON quartz.qrtz_job_details (sched_name, job_group, job_name);

CREATE INDEX idx_qrtz_t_j ON quartz.qrtz_triggers (sched_name, job_name, job_group);

CREATE INDEX idx_qrtz_t_g_n ON quartz.qrtz_triggers (sched_name, trigger_group, trigger_name);

CREATE INDEX idx_qrtz_t_c ON quartz.qrtz_triggers (sched_name, calendar_name);

CREATE INDEX idx_qrtz_t_nft_st ON quartz.qrtz_triggers (sched_name, trigger_state, next_fire_time asc, priority desc, misfire_instr);

CREATE INDEX idx_qrtz_ft_inst_job_req_rcvry ON quartz.qrtz_fired_triggers (sched_name, instance_name, requests_recovery);

CREATE INDEX idx_qrtz_ft_j_g ON quartz.qrtz_fired_triggers (sched_name, job_name, job_group);

CREATE INDEX idx_qrtz_ft_t_g ON quartz.qrtz_fired_triggers (sched_name, trigger_name, trigger_group);
