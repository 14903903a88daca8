ALTER TABLE scheduler.jobs ADD COLUMN checkpoint_path text;
COMMENT ON COLUMN scheduler.jobs.checkpoint_path IS 'Folder inside the work folder whose content a run that ends with exit code 85 is started again with; null: no checkpoints';

ALTER TABLE scheduler.tasks
    ADD COLUMN checkpoint_sha256 text,
    ADD COLUMN checkpoint_epoch integer,
    ADD COLUMN idle_checkpoints smallint NOT NULL DEFAULT 0;
COMMENT ON COLUMN scheduler.tasks.checkpoint_sha256 IS 'Archive of the newest checkpoint; the next lease starts from it';
COMMENT ON COLUMN scheduler.tasks.checkpoint_epoch IS 'Which lease it came from';
COMMENT ON COLUMN scheduler.tasks.idle_checkpoints IS 'Restarts in a row that the payload asked for without having got anywhere';

ALTER TABLE scheduler.attempts ADD COLUMN notice_until timestamptz;
COMMENT ON COLUMN scheduler.attempts.notice_until IS 'The pool takes the machine back then; null: it does not want it';
CREATE INDEX attempts_under_notice ON scheduler.attempts (notice_until)
    WHERE notice_until IS NOT NULL AND state IN ('Leased', 'Staging', 'Running', 'Uploading');
