-- Prices are tunable: a job keeps those it was submitted under. And a place for what rehearsals of proposals found.
ALTER TABLE scheduler.jobs
    ADD COLUMN price_core_hour_micro bigint  NOT NULL DEFAULT 100000,
    ADD COLUMN price_gib_hour_micro  bigint  NOT NULL DEFAULT 50000,
    ADD COLUMN price_tier_tenths     integer NOT NULL DEFAULT 10,
    ADD COLUMN hold_margin_bp        integer NOT NULL DEFAULT 11000,
    ADD COLUMN formula_version       bigint  NOT NULL DEFAULT 0;
UPDATE scheduler.jobs SET price_tier_tenths = CASE sla_tier WHEN 'Silver' THEN 25 WHEN 'Gold' THEN 50 ELSE 80 END WHERE sla_tier <> 'Bronze';
-- The defaults were for the rows that were there; from now on every submit names its own.
ALTER TABLE scheduler.jobs
    ALTER COLUMN price_core_hour_micro DROP DEFAULT,
    ALTER COLUMN price_gib_hour_micro  DROP DEFAULT,
    ALTER COLUMN price_tier_tenths     DROP DEFAULT,
    ALTER COLUMN hold_margin_bp        DROP DEFAULT,
    ALTER COLUMN formula_version       DROP DEFAULT;
COMMENT ON COLUMN scheduler.jobs.price_core_hour_micro IS 'Micro-credits for one core and hour that the job is quoted, held and charged by; so are the three after it';
COMMENT ON COLUMN scheduler.jobs.price_tier_tenths IS 'Multiplier of the tier × 10';
COMMENT ON COLUMN scheduler.jobs.hold_margin_bp IS 'Hold as a share of the quote, hundredths of a percent';
COMMENT ON COLUMN scheduler.jobs.formula_version IS 'Version of the parameters (tokenomics.parameter_changes) that these prices are of; 0: the defaults';

CREATE TABLE tokenomics.rehearsals (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    proposal text        NOT NULL,
    asked_by uuid        NOT NULL,
    at       timestamptz NOT NULL,
    days     integer     NOT NULL CHECK (days BETWEEN 1 AND 30),
    result   jsonb       NOT NULL
);
CREATE INDEX rehearsals_of_proposal ON tokenomics.rehearsals (proposal, id DESC);
COMMENT ON TABLE tokenomics.rehearsals IS 'What recorded days would have been like under the value that a proposal would set; shown beside the proposal';
COMMENT ON COLUMN tokenomics.rehearsals.proposal IS 'Hex id of the proposal';
COMMENT ON COLUMN tokenomics.rehearsals.days IS 'How many days back it looked from its time';
