-- Benchmarks of the system by itself, their history and their points.
CREATE SCHEMA benchmarks;

CREATE TABLE benchmarks.runs (
    id               uuid        PRIMARY KEY,
    type             text        NOT NULL CHECK (type IN ('Latency', 'Throughput', 'Stress')),
    state            text        NOT NULL CHECK (state IN ('Running', 'Completed', 'Stopped', 'Interrupted', 'Failed')),
    requested_by     uuid        NOT NULL,
    duration_seconds integer     NOT NULL CHECK (duration_seconds BETWEEN 1 AND 3600),
    started_at       timestamptz NOT NULL,
    ended_at         timestamptz,
    runner           uuid,
    heartbeat_at     timestamptz NOT NULL DEFAULT now(),
    machine          jsonb,
    summary          jsonb       NOT NULL DEFAULT '[]',
    why              text,
    CONSTRAINT runs_end_whole CHECK ((state = 'Running') = (ended_at IS NULL))
);
CREATE UNIQUE INDEX runs_one_at_a_time ON benchmarks.runs ((true)) WHERE state = 'Running';
CREATE INDEX runs_newest ON benchmarks.runs (started_at DESC, id DESC);
COMMENT ON COLUMN benchmarks.runs.runner IS 'The control-plane process that claimed it; null: none has yet';
COMMENT ON COLUMN benchmarks.runs.heartbeat_at IS 'By the database''s clock; silent for 15 s while running: its process is gone';

CREATE TABLE benchmarks.points (
    run_id             uuid             NOT NULL REFERENCES benchmarks.runs (id) ON DELETE CASCADE,
    second             integer          NOT NULL CHECK (second BETWEEN 1 AND 3600),
    at                 timestamptz      NOT NULL,
    latency_ms         double precision,
    throughput_mb      double precision,
    cpu_percent        double precision,
    memory_percent     double precision,
    network_percent    double precision,
    PRIMARY KEY (run_id, second)
);
COMMENT ON COLUMN benchmarks.points.throughput_mb IS 'MB per second';
