-- Stakes, what is unbonding, what stakes have earned, and slashes. Each of the first three is changed under the lock of its owner's staked account only.
CREATE TABLE tokenomics.stakes (
    id           uuid        PRIMARY KEY,
    owner        uuid        NOT NULL REFERENCES tokenomics.owners (id),
    initial      bigint      NOT NULL CHECK (initial > 0),
    amount       bigint      NOT NULL CHECK (amount BETWEEN 0 AND initial),
    staked_at    timestamptz NOT NULL,
    locked_until timestamptz NOT NULL
);
CREATE INDEX stakes_open ON tokenomics.stakes (owner, staked_at, id) WHERE amount > 0;
COMMENT ON TABLE tokenomics.stakes IS 'Lots: one per stake; the open amounts of an owner add up to its staked account';
COMMENT ON COLUMN tokenomics.stakes.initial IS 'What was staked at once';
COMMENT ON COLUMN tokenomics.stakes.amount IS 'What is still staked of it; 0: closed';
COMMENT ON COLUMN tokenomics.stakes.locked_until IS 'From the lock in force when it was staked; a later change of the parameter does not move it';
CREATE TRIGGER stakes_stay BEFORE DELETE OR TRUNCATE ON tokenomics.stakes FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();
CREATE TRIGGER stakes_keep_identity BEFORE UPDATE OF id, owner, initial, staked_at, locked_until ON tokenomics.stakes FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TABLE tokenomics.unbondings (
    id           uuid        PRIMARY KEY,
    owner        uuid        NOT NULL REFERENCES tokenomics.owners (id),
    initial      bigint      NOT NULL CHECK (initial > 0),
    amount       bigint      NOT NULL CHECK (amount BETWEEN 0 AND initial),
    started_at   timestamptz NOT NULL,
    available_at timestamptz NOT NULL,
    claimed_at   timestamptz
);
CREATE INDEX unbondings_open ON tokenomics.unbondings (owner, started_at, id) WHERE claimed_at IS NULL AND amount > 0;
COMMENT ON TABLE tokenomics.unbondings IS 'One per unstaking; the unclaimed amounts of an owner add up to its unbonding account';
COMMENT ON COLUMN tokenomics.unbondings.initial IS 'What was unstaked at once';
COMMENT ON COLUMN tokenomics.unbondings.amount IS 'What slashes have left of it; once claimed: what was claimed';
COMMENT ON COLUMN tokenomics.unbondings.available_at IS 'When it can be claimed, from the period in force when it was unstaked';
CREATE TRIGGER unbondings_stay BEFORE DELETE OR TRUNCATE ON tokenomics.unbondings FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();
CREATE TRIGGER unbondings_keep_identity BEFORE UPDATE OF id, owner, initial, started_at, available_at ON tokenomics.unbondings FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TABLE tokenomics.stake_accruals (
    owner      uuid          PRIMARY KEY REFERENCES tokenomics.owners (id),
    numerator  numeric(39,0) NOT NULL CHECK (numerator >= 0),
    accrued_to timestamptz   NOT NULL,
    paid       bigint        NOT NULL DEFAULT 0 CHECK (paid >= 0),
    paid_day   date          NOT NULL
);
COMMENT ON TABLE tokenomics.stake_accruals IS 'What each owner''s stake has earned and not been paid, exactly; a row from the first stake on';
COMMENT ON COLUMN tokenomics.stake_accruals.numerator IS 'Micro-credits x microseconds x basis points; a year (365 days) x 10 000 of it is one micro-credit. What a payment leaves stays here';
COMMENT ON COLUMN tokenomics.stake_accruals.accrued_to IS 'Up to when the numerator counts; from then on the stake is what the staked account says';
COMMENT ON COLUMN tokenomics.stake_accruals.paid IS 'Micro-credits ever paid; a running figure that the reconciler re-derives';
COMMENT ON COLUMN tokenomics.stake_accruals.paid_day IS 'Last UTC day on which it was paid, or the day of the first stake';
CREATE INDEX transfers_staking_rewards ON tokenomics.transfers (number) WHERE kind = 'StakingReward';

CREATE TABLE tokenomics.slashes (
    id              uuid        PRIMARY KEY,
    owner           uuid        NOT NULL REFERENCES tokenomics.owners (id),
    reason          text        NOT NULL CHECK (reason IN ('WrongResult', 'Equivocation')),
    state           text        NOT NULL CHECK (state IN ('Escrowed', 'Appealed', 'Executed', 'Reversed')),
    from_staked     bigint      NOT NULL CHECK (from_staked >= 0),
    from_unbonding  bigint      NOT NULL CHECK (from_unbonding >= 0),
    locked_until    timestamptz,
    available_at    timestamptz,
    harmed          uuid        NOT NULL REFERENCES tokenomics.owners (id),
    harmed_bp       integer     NOT NULL CHECK (harmed_bp BETWEEN 0 AND 10000),
    job_id          uuid        NOT NULL,
    task_index      integer     NOT NULL CHECK (task_index >= 0),
    device_id       text        NOT NULL,
    attempt_id      uuid        NOT NULL,
    evidence        json,
    created_at      timestamptz NOT NULL,
    appeal_until    timestamptz NOT NULL,
    appeal          text,
    appealed_at     timestamptz,
    decision        text,
    decided_by      text,
    decided_at      timestamptz,
    UNIQUE (attempt_id, reason),
    CONSTRAINT slashes_take_something CHECK (from_staked + from_unbonding > 0),
    CONSTRAINT slashes_remember_clocks CHECK ((from_staked = 0) = (locked_until IS NULL) AND (from_unbonding = 0) = (available_at IS NULL)),
    CONSTRAINT slashes_state_fits CHECK ((appeal IS NULL) = (appealed_at IS NULL) AND (state <> 'Appealed' OR appeal IS NOT NULL)
        AND (state IN ('Executed', 'Reversed')) = (decided_at IS NOT NULL))
);
CREATE INDEX slashes_of_owner ON tokenomics.slashes (owner, created_at DESC, id DESC);
CREATE INDEX slashes_undecided ON tokenomics.slashes (appeal_until) WHERE state = 'Escrowed';
COMMENT ON TABLE tokenomics.slashes IS 'Stakes that wrong results cost; those escrowed or appealed add up to the system account Slashed';
COMMENT ON COLUMN tokenomics.slashes.locked_until IS 'Latest lock among the lots it was taken from: where a reversal puts it back, it is locked as long as it was';
COMMENT ON COLUMN tokenomics.slashes.available_at IS 'Latest date among the unbondings it was taken from, for the same purpose';
COMMENT ON COLUMN tokenomics.slashes.harmed_bp IS 'Share of the harmed requester, from the parameter when it was taken; 0 where the slashed owner had asked for the work itself';
COMMENT ON COLUMN tokenomics.slashes.evidence IS 'Equivocation: both receipts with signatures and the key. json, not jsonb: kept as written';
COMMENT ON COLUMN tokenomics.slashes.decided_by IS 'Account or proposal that decided the appeal; null: nobody appealed in time';
CREATE TRIGGER slashes_stay BEFORE DELETE OR TRUNCATE ON tokenomics.slashes FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();
CREATE TRIGGER slashes_keep_identity BEFORE UPDATE OF id, owner, reason, from_staked, from_unbonding, locked_until, available_at, harmed, harmed_bp, job_id, task_index, device_id, attempt_id,
    evidence, created_at, appeal_until ON tokenomics.slashes FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();
