CREATE SCHEMA idle_compute;

CREATE TABLE idle_compute.devices (
    id                    text             PRIMARY KEY,
    account_id            uuid             NOT NULL REFERENCES identity.accounts (id),
    name                  text,
    type                  text             NOT NULL,
    platform              text,
    key_hash              bytea            NOT NULL UNIQUE,
    public_key            bytea,
    cpu_millicores        integer          NOT NULL,
    memory_bytes          bigint           NOT NULL,
    disk_bytes            bigint,
    gpus                  integer          NOT NULL,
    slots                 integer          NOT NULL,
    isolation_levels      text[]           NOT NULL,
    payload_kinds         text[]           NOT NULL,
    network_allowed       boolean          NOT NULL,
    labels                text[]           NOT NULL,
    region                text,
    benchmark_score       double precision,
    cpu_ghz               double precision,
    offline_grace_seconds integer          NOT NULL,
    battery_percent       double precision,
    charging              boolean,
    temperature_celsius   double precision,
    other_cpu             double precision,
    state                 text             NOT NULL,
    state_reason          text,
    registered_at         timestamptz      NOT NULL,
    last_seen_at          timestamptz      NOT NULL,
    last_poll_at          timestamptz,
    unregistered_at       timestamptz,
    tasks_completed       bigint           NOT NULL,
    compute_ms            bigint           NOT NULL,
    reputation_right      double precision NOT NULL,
    reputation_wrong      double precision NOT NULL,
    reputation_at         timestamptz      NOT NULL,
    verified_streak       integer          NOT NULL,
    losses                bigint           NOT NULL,
    evictions             bigint           NOT NULL
);
COMMENT ON TABLE idle_compute.devices IS 'Enrolled machines; the row stays after unregistering so that history keeps its names';
COMMENT ON COLUMN idle_compute.devices.key_hash IS 'SHA-256 of the device key, which was shown once';
COMMENT ON COLUMN idle_compute.devices.public_key IS 'P-256 SubjectPublicKeyInfo that signs receipts';
COMMENT ON COLUMN idle_compute.devices.last_seen_at IS 'Written at most every few seconds per device: good enough for silence detection';
COMMENT ON COLUMN idle_compute.devices.reputation_right IS 'Decayed count of verified-right results, as of reputation_at';

CREATE INDEX devices_account ON idle_compute.devices (account_id);
