-- Balances as of any time, the end of every hold, running figures, signed checkpoints.

-- Every posting says what its account held after it, and when. An account's postings, ordered by (at, transfer), are its history in the order in which it really
-- moved: whoever posts has the account locked and takes a time later than the account's last. So the balance at any instant is one row.
ALTER TABLE tokenomics.postings ADD COLUMN balance bigint, ADD COLUMN at timestamptz;
ALTER TABLE tokenomics.postings DISABLE TRIGGER postings_append_only;
UPDATE tokenomics.postings p SET balance = r.balance, at = r.at FROM (
    SELECT p.transfer, p.account_id, t.at, sum(p.amount) OVER (PARTITION BY p.account_id ORDER BY p.transfer)::bigint AS balance
    FROM tokenomics.postings p JOIN (SELECT number, max(created_at) OVER (ORDER BY number) AS at FROM tokenomics.transfers) AS t ON t.number = p.transfer) AS r
WHERE r.transfer = p.transfer AND r.account_id = p.account_id;
ALTER TABLE tokenomics.postings ENABLE TRIGGER postings_append_only;
ALTER TABLE tokenomics.postings ALTER COLUMN balance SET NOT NULL, ALTER COLUMN at SET NOT NULL;
UPDATE tokenomics.accounts a SET updated_at = greatest(a.updated_at, p.at) FROM (SELECT account_id, max(at) AS at FROM tokenomics.postings GROUP BY account_id) AS p WHERE p.account_id = a.id;
DROP INDEX tokenomics.postings_of_account;
CREATE INDEX postings_of_account ON tokenomics.postings (account_id, at DESC, transfer DESC);
COMMENT ON COLUMN tokenomics.postings.balance IS 'Balance of the account after this posting; the reconciler adds them up again';
COMMENT ON COLUMN tokenomics.postings.at IS 'Ledger time: the transfer''s created_at, or a microsecond after the latest posting of the accounts it moves where that is later';

ALTER TABLE tokenomics.holds ADD COLUMN expires_at timestamptz;
UPDATE tokenomics.holds h SET expires_at = coalesce(j.deadline, j.submitted_at + j.queue_seconds * interval '1 second' + interval '30 days') FROM scheduler.jobs j WHERE j.id = h.job_id;
UPDATE tokenomics.holds SET expires_at = opened_at + interval '30 days' WHERE expires_at IS NULL;
ALTER TABLE tokenomics.holds ALTER COLUMN expires_at SET NOT NULL;
COMMENT ON COLUMN tokenomics.holds.expires_at IS 'When its job ends at the latest; what is then left goes back';

-- Written with each block, off the path of settlements: figures of the whole journal without reading it.
CREATE TABLE tokenomics.block_totals (
    block            bigint      PRIMARY KEY REFERENCES tokenomics.blocks (number),
    sealed_at        timestamptz NOT NULL,
    settlements      bigint      NOT NULL,
    charged          bigint      NOT NULL,
    paid             bigint      NOT NULL,
    metered          bigint      NOT NULL,
    core_ms          bigint      NOT NULL,
    staking_rewards  bigint      NOT NULL,
    treasury_grants  bigint      NOT NULL
);
CREATE INDEX block_totals_by_time ON tokenomics.block_totals (sealed_at, block);
COMMENT ON TABLE tokenomics.block_totals IS 'What the journal adds up to at the end of each block, from the first on; append-only. Amounts in micro-credits';
COMMENT ON COLUMN tokenomics.block_totals.metered IS 'The part of charged whose settlements say what was measured';
COMMENT ON COLUMN tokenomics.block_totals.core_ms IS 'Cores × milliseconds of the metered settlements';
INSERT INTO tokenomics.block_totals
SELECT b.number, b.sealed_at, sum(s.settlements) OVER upto, sum(s.charged) OVER upto, sum(s.paid) OVER upto, 0, 0, 0, 0
FROM tokenomics.blocks b CROSS JOIN LATERAL (
    SELECT (SELECT count(*) FROM tokenomics.transfers t WHERE t.number BETWEEN b.first_transfer AND b.last_transfer AND t.kind = 'Settlement') AS settlements,
           coalesce(-sum(p.amount) FILTER (WHERE a.kind = 'Held'), 0) AS charged, coalesce(sum(p.amount) FILTER (WHERE a.kind = 'Available'), 0) AS paid
    FROM tokenomics.transfers t JOIN tokenomics.postings p ON p.transfer = t.number JOIN tokenomics.accounts a ON a.id = p.account_id
    WHERE t.number BETWEEN b.first_transfer AND b.last_transfer AND t.kind = 'Settlement') AS s
WINDOW upto AS (ORDER BY b.number);
CREATE TRIGGER block_totals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tokenomics.block_totals FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TABLE tokenomics.checkpoints (
    day           date        PRIMARY KEY,
    block         bigint      NOT NULL REFERENCES tokenomics.blocks (number),
    head_hash     bytea       NOT NULL CHECK (length(head_hash) = 32),
    supply        bigint      NOT NULL,
    balances_hash bytea       NOT NULL CHECK (length(balances_hash) = 32),
    at            timestamptz NOT NULL,
    signed        bytea       NOT NULL,
    signature     bytea       NOT NULL,
    key_id        text        NOT NULL,
    public_key    bytea       NOT NULL
);
COMMENT ON TABLE tokenomics.checkpoints IS 'Once a day: the head of the chain and a hash of all balances, signed with a key that is not in the database';
COMMENT ON COLUMN tokenomics.checkpoints.signed IS 'The very bytes that are signed';
COMMENT ON COLUMN tokenomics.checkpoints.signature IS 'ECDSA P-256 over SHA-256 of signed, DER';
COMMENT ON COLUMN tokenomics.checkpoints.key_id IS 'SHA-256 of public_key (SubjectPublicKeyInfo), hex';
CREATE TRIGGER checkpoints_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tokenomics.checkpoints FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();
