-- The pool's tunables and their history, and the kinds of transfer that stakes, slashes and proposals make.
ALTER TABLE tokenomics.transfers DROP CONSTRAINT transfers_kind_check;
ALTER TABLE tokenomics.transfers ADD CONSTRAINT transfers_kind_check CHECK (kind IN (
    'Genesis', 'FaucetGrant', 'Hold', 'Settlement', 'Release',
    'Stake', 'Unstake', 'Claim', 'StakingReward', 'Slash', 'SlashExecution', 'SlashReversal', 'TreasuryGrant'));

CREATE TABLE tokenomics.parameter_changes (
    version    bigint      PRIMARY KEY CHECK (version >= 1),
    name       text        NOT NULL,
    previous   bigint      NOT NULL,
    value      bigint      NOT NULL,
    proposal   text,
    changed_at timestamptz NOT NULL
);
CREATE INDEX parameter_changes_of_name ON tokenomics.parameter_changes (name, version DESC);
COMMENT ON TABLE tokenomics.parameter_changes IS 'Every change of a tunable, append-only; the values in force are the latest of each name, or the defaults in the code';
COMMENT ON COLUMN tokenomics.parameter_changes.proposal IS 'Hex id of the proposal that decided it; null: the founder''s settings at the first start';
CREATE TRIGGER parameter_changes_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tokenomics.parameter_changes FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();
