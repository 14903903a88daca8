-- Limits of arrays, rows written in chunks, lines of the queue, copies of stragglers.
ALTER TABLE scheduler.jobs
    ADD COLUMN max_concurrent integer CHECK (max_concurrent BETWEEN 1 AND 1000000),
    ADD COLUMN materialised   integer;
UPDATE scheduler.jobs SET materialised = task_count;
ALTER TABLE scheduler.jobs
    ALTER COLUMN materialised SET NOT NULL,
    ADD CONSTRAINT jobs_materialised_range CHECK (materialised BETWEEN 0 AND task_count);
COMMENT ON COLUMN scheduler.jobs.max_concurrent IS 'Most tasks leased at once; null: any number';
COMMENT ON COLUMN scheduler.jobs.materialised IS 'Tasks 0 to materialised - 1 have a row; the others wait, and get theirs when few open ones are left';

ALTER TABLE scheduler.tasks ADD COLUMN speculated boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN scheduler.tasks.speculated IS 'A copy was asked for because it ran long; cleared when the copy takes the place of a replica that was lost';

CREATE TABLE scheduler.lines (
    account_id uuid        NOT NULL REFERENCES identity.accounts (id),
    priority   integer     NOT NULL,
    served_at  timestamptz NOT NULL,
    PRIMARY KEY (account_id, priority)
);
COMMENT ON TABLE scheduler.lines IS 'When the jobs of one account and priority last got a device; the order of service counts waiting from it';

-- Few rows each: arrays that are still being written, and limited ones.
CREATE INDEX jobs_unwritten ON scheduler.jobs (id) WHERE materialised < task_count AND state IN ('Admitted', 'Running');
CREATE INDEX jobs_limited ON scheduler.jobs (id) WHERE max_concurrent IS NOT NULL AND state IN ('Admitted', 'Running');
