-- A full pool and a long queue: 5 000 devices, 100 000 ended jobs, 10 000 open jobs with 100 000 open tasks of 50 accounts (one has 8 000 of the jobs), 8 000 live attempts.
INSERT INTO identity.accounts (id, name, address, created_at)
SELECT ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid, 'account ' || i, 'fog1' || i, now() FROM generate_series(1, 50) AS i;

INSERT INTO idle_compute.devices (id, account_id, type, key_hash, cpu_millicores, memory_bytes, disk_bytes, gpus, slots, isolation_levels, payload_kinds, network_allowed, labels,
    benchmark_score, offline_grace_seconds, state, registered_at, last_seen_at, last_poll_at, tasks_completed, compute_ms, reputation_right, reputation_wrong, reputation_at,
    verified_streak, losses, evictions)
SELECT 'device-' || i, ('00000000-0000-0000-0000-' || lpad((1 + i % 50)::text, 12, '0'))::uuid, 'Desktop', sha256(('key' || i)::bytea), 8000, 16::bigint << 30, 1::bigint << 40, 0, 8,
    '{Process,Sandbox}', '{builtin,command}', false, '{}', 1000 + i % 100, 0, 'Eligible', now(), now() + interval '1 day', now(), 100, 0, 10, 0, now(), 10, 0, 0
FROM generate_series(1, 5000) AS i;

INSERT INTO scheduler.jobs (id, account_id, name, state, sla_tier, cpu_millicores, memory_bytes, gpus, isolation, network, payload_kind, labels, regions, excluded_devices, priority, retries,
    deterministic, privacy_level, estimate_ms, queue_seconds, stage_in_seconds, wall_seconds, stage_out_seconds, memory_limit_bytes, disk_limit_bytes, output_limit_bytes, process_limit,
    specification, quote_micro, hold_per_task_micro, charged_micro, task_count, max_concurrent, materialised, tasks_succeeded, tasks_failed, tasks_cancelled, dependencies_left, submitted_at, run_ms, plan,
    price_core_hour_micro, price_gib_hour_micro, price_tier_tenths, hold_margin_bp, formula_version)
SELECT ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, ('00000000-0000-0000-0000-' || lpad((CASE WHEN i <= 8000 THEN 1 ELSE 1 + i % 50 END)::text, 12, '0'))::uuid, 'job ' || i,
    CASE WHEN i > 10000 THEN 'Completed' WHEN i % 2 = 0 THEN 'Running' ELSE 'Admitted' END, 'Bronze', 1000, 1 << 20, 0, 'Process', 'None', 'builtin', '{}', '{}', '{}', 40 + i / 50 % 20, 3,
    true, 'public', 60000, 604800, 600, 600, 600, 1 << 20, 1 << 30, 1 << 20, 256, '{"payload":{"kind":"builtin","kernel":"noop"},"inputs":[],"outputs":[]}', 10, 11, 0,
    CASE WHEN i > 10000 THEN 1 ELSE 11 END, NULL, CASE WHEN i > 10000 THEN 1 ELSE 11 END, CASE WHEN i > 10000 THEN 1 ELSE 0 END, 0, 0, 0, now() - i * interval '1 second', 0, 'Cheap', 100000, 50000, 10, 11000, 0
FROM generate_series(1, 110000) AS i;

INSERT INTO scheduler.tasks (job_id, index, state, open_slots, epoch, job_errors, device_losses, evictions, audited, eligible_at, cost_micro)
SELECT ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, t, CASE WHEN i > 10000 THEN 'Succeeded' WHEN t = 0 AND i <= 8000 THEN 'Executing' ELSE 'Ready' END,
    CASE WHEN i > 10000 OR (t = 0 AND i <= 8000) THEN 0 ELSE 1 END, CASE WHEN t = 0 THEN 1 ELSE 0 END, 0, 0, 0, false, now() - interval '1 minute', 0
FROM generate_series(1, 110000) AS i, generate_series(0, CASE WHEN i > 10000 THEN 0 ELSE 10 END) AS t;

INSERT INTO scheduler.attempts (id, job_id, task_index, device_id, replica, epoch, state, leased_at, expires_at, wall_ms, cpu_ms, log_bytes)
SELECT gen_random_uuid(), ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, 0, 'device-' || 1 + i % 5000, 0, 1, CASE WHEN i > 10000 THEN 'Accepted' ELSE 'Running' END,
    now() - interval '1 minute', now() + interval '1 day', 1000, 1000, 0
FROM generate_series(1, 110000) AS i WHERE i <= 8000 OR i > 10000;

INSERT INTO scheduler.lines (account_id, priority, served_at)
SELECT ('00000000-0000-0000-0000-' || lpad(a::text, 12, '0'))::uuid, p, now() - a * interval '1 second' FROM generate_series(1, 50) AS a, generate_series(40, 59) AS p;
