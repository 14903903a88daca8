-- Plans of accounts, and what they use of them.
ALTER TABLE identity.accounts ADD COLUMN plan text NOT NULL DEFAULT 'Free' CHECK (plan IN ('Free', 'Pro', 'Enterprise'));
COMMENT ON COLUMN identity.accounts.plan IS 'What each plan allows is a setting (FOG_PLAN_FREE and so on)';
UPDATE identity.accounts SET plan = 'Enterprise' WHERE name = 'local';

CREATE TABLE identity.usage (
    day        date   NOT NULL,
    account    uuid   NOT NULL,
    compute_ms bigint NOT NULL DEFAULT 0 CHECK (compute_ms >= 0),
    api_calls  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (day, account)
) WITH (fillfactor = 50);
COMMENT ON TABLE identity.usage IS 'What accounts use by UTC day; kept for 90 days. Half-empty pages keep the frequent updates in place';
COMMENT ON COLUMN identity.usage.compute_ms IS 'Wall milliseconds of tasks: measured of ended jobs, reserved of open ones; only of accounts with a limit';

CREATE TABLE identity.compute_reservations (
    job          uuid   PRIMARY KEY,
    account      uuid   NOT NULL,
    day          date   NOT NULL,
    milliseconds bigint NOT NULL CHECK (milliseconds >= 0)
);
CREATE INDEX compute_reservations_of_day ON identity.compute_reservations (account, day);
COMMENT ON TABLE identity.compute_reservations IS 'Part of usage.compute_ms that open jobs have reserved; replaced by what was measured when they end';
COMMENT ON COLUMN identity.compute_reservations.day IS 'Of the submit';
