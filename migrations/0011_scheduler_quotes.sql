CREATE TABLE scheduler.quotes (
    id         uuid        PRIMARY KEY,
    account_id uuid        NOT NULL REFERENCES identity.accounts (id),
    request    jsonb       NOT NULL,
    plans      jsonb       NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    job_id     uuid
);
COMMENT ON TABLE scheduler.quotes IS 'Plans with guaranteed prices that a submit may name for a minute; forgotten after a day';
COMMENT ON COLUMN scheduler.quotes.request IS 'Digest of each field of the quoted request, defaults filled in: tells what differs in a submit';
COMMENT ON COLUMN scheduler.quotes.plans IS 'The front and its named plans, or why there is none';
COMMENT ON COLUMN scheduler.quotes.job_id IS 'The job that was submitted under it; a quote is good for one';
CREATE INDEX quotes_expires_at ON scheduler.quotes (expires_at);

ALTER TABLE scheduler.jobs
    ADD COLUMN plan          text,
    ADD COLUMN quote_id      uuid,
    ADD COLUMN quoted_p95_at timestamptz,
    ADD COLUMN within_quote  boolean;
UPDATE scheduler.jobs SET plan = CASE sla_tier WHEN 'Bronze' THEN 'Cheap' WHEN 'Silver' THEN 'Knee' WHEN 'Gold' THEN 'Safe' ELSE 'Fast' END;
ALTER TABLE scheduler.jobs ALTER COLUMN plan SET NOT NULL;
COMMENT ON COLUMN scheduler.jobs.plan IS 'The trade-off that was bought; where none was named, the one its tier stands for';
COMMENT ON COLUMN scheduler.jobs.quote_id IS 'The quote named by the submit; null: none. Its price is quote_micro, and the hold is just that';
COMMENT ON COLUMN scheduler.jobs.quoted_p95_at IS 'When the job was quoted to have ended with 95 % probability';
COMMENT ON COLUMN scheduler.jobs.within_quote IS 'Whether it had; null: no quote, not ended, or ended early by other means';
CREATE INDEX jobs_within_quote ON scheduler.jobs (finished_at) WHERE within_quote IS NOT NULL;
