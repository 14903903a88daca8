CREATE TABLE idle_compute.device_presence (
    device_id        text               PRIMARY KEY REFERENCES idle_compute.devices (id),
    observed_seconds double precision[] NOT NULL CHECK (cardinality(observed_seconds) = 168),
    present_seconds  double precision[] NOT NULL CHECK (cardinality(present_seconds) = 168),
    departures       double precision[] NOT NULL CHECK (cardinality(departures) = 168),
    present          boolean            NOT NULL,
    observed_at      timestamptz        NOT NULL
);
COMMENT ON TABLE idle_compute.device_presence IS 'When devices were there, per hour of the week (UTC, Monday 00:00 first): what placement learns availability from';
COMMENT ON COLUMN idle_compute.device_presence.observed_seconds IS 'Seconds the device was looked at in that hour of the week; weeks ago fade with a half-life of four weeks';
COMMENT ON COLUMN idle_compute.device_presence.departures IS 'How often it was there at one look and gone at the next';

CREATE TABLE scheduler.passes (
    id          uuid             PRIMARY KEY,
    at          timestamptz      NOT NULL,
    took_ms     double precision NOT NULL,
    tasks       integer          NOT NULL,
    slots       integer          NOT NULL,
    devices     integer          NOT NULL,
    placed      integer          NOT NULL,
    unplaced    integer          NOT NULL,
    generations integer          NOT NULL,
    evaluations bigint           NOT NULL,
    search_ms   double precision NOT NULL,
    hypervolume double precision NOT NULL,
    convergence double precision NOT NULL,
    chosen      integer          NOT NULL,
    front       jsonb            NOT NULL,
    jobs        uuid[]           NOT NULL
);
COMMENT ON TABLE scheduler.passes IS 'Placement passes that searched a Pareto front, with the front; kept for seven days';
CREATE INDEX passes_at ON scheduler.passes (at);

ALTER TABLE scheduler.jobs ADD COLUMN run_ms bigint NOT NULL DEFAULT 0;
ALTER TABLE scheduler.jobs ALTER COLUMN run_ms DROP DEFAULT;
COMMENT ON COLUMN scheduler.jobs.run_ms IS 'Sum over succeeded tasks of the mean measured wall milliseconds of their accepted attempts';
