-- Proposals, ballots and delegations. Why state is computed and ends are stored: docs/adr/0013-proposal-state-is-computed.md.
CREATE TABLE tokenomics.proposals (
    id                  text        PRIMARY KEY CHECK (id ~ '^[0-9a-f]{64}$'),
    number              bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,
    proposer            uuid        NOT NULL REFERENCES tokenomics.owners (id),
    title               text        NOT NULL,
    description         text        NOT NULL,
    payload             text        NOT NULL,
    actions_hash        text        NOT NULL,
    delay_seconds       bigint      NOT NULL,
    voting_seconds      bigint      NOT NULL,
    quorum_bp           bigint      NOT NULL,
    approval_bp         bigint      NOT NULL,
    late_quorum_seconds bigint      NOT NULL,
    timelock_seconds    bigint      NOT NULL,
    grace_seconds       bigint      NOT NULL,
    created_at          timestamptz NOT NULL,
    snapshot_at         timestamptz NOT NULL,
    snapshot_transfer   bigint,
    snapshot_supply     bigint,
    snapshot_delegation bigint,
    voting_ends_at      timestamptz NOT NULL,
    votes_for           bigint      NOT NULL DEFAULT 0 CHECK (votes_for >= 0),
    votes_against       bigint      NOT NULL DEFAULT 0 CHECK (votes_against >= 0),
    votes_abstain       bigint      NOT NULL DEFAULT 0 CHECK (votes_abstain >= 0),
    eta                 timestamptz,
    end_state           text        CHECK (end_state IN ('Defeated', 'Executed', 'ExecutionFailed', 'Expired', 'Cancelled')),
    end_reason          text,
    end_why             text,
    ended_at            timestamptz,
    granted             bigint      NOT NULL DEFAULT 0 CHECK (granted >= 0),
    due_at              timestamptz,
    CONSTRAINT proposals_snapshot_whole CHECK (num_nulls(snapshot_transfer, snapshot_supply, snapshot_delegation) IN (0, 3)),
    CONSTRAINT proposals_votes_within_supply CHECK (votes_for + votes_against + votes_abstain <= coalesce(snapshot_supply, 0)),
    CONSTRAINT proposals_end_whole CHECK ((end_state IS NULL) = (ended_at IS NULL) AND (end_state IS NULL) = (end_why IS NULL) AND (end_state IS NULL OR due_at IS NULL))
);
CREATE INDEX proposals_due ON tokenomics.proposals (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX proposals_open ON tokenomics.proposals (proposer) WHERE end_state IS NULL;
CREATE INDEX proposals_granted ON tokenomics.proposals (ended_at) WHERE granted > 0;
COMMENT ON TABLE tokenomics.proposals IS 'What is proposed and how it fares. The state follows from these facts and the time; only ends are stored';
COMMENT ON COLUMN tokenomics.proposals.id IS 'SHA-256 of proposer, payload and description; see Domain/Tokenomics/Governance/ProposalIdentity.cs';
COMMENT ON COLUMN tokenomics.proposals.payload IS 'The very text that is shown, hashed and run; text, not json, so that no byte of it changes';
COMMENT ON COLUMN tokenomics.proposals.quorum_bp IS 'This and the other rules were in force at its creation and stay its own';
COMMENT ON COLUMN tokenomics.proposals.snapshot_at IS 'When the snapshot is due; once taken, when it was';
COMMENT ON COLUMN tokenomics.proposals.granted IS 'Micro-credits its execution took from the treasury';
COMMENT ON COLUMN tokenomics.proposals.due_at IS 'When AdvanceProposals looks at it next; null: it has ended';
CREATE TRIGGER proposals_keep_content BEFORE UPDATE OF id, proposer, title, description, payload, actions_hash, delay_seconds, voting_seconds, quorum_bp, approval_bp,
    late_quorum_seconds, timelock_seconds, grace_seconds, created_at ON tokenomics.proposals FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();
CREATE TRIGGER proposals_keep_end BEFORE UPDATE ON tokenomics.proposals FOR EACH ROW WHEN (OLD.end_state IS NOT NULL) EXECUTE FUNCTION tokenomics.refuse_change();
CREATE TRIGGER proposals_stay BEFORE DELETE OR TRUNCATE ON tokenomics.proposals FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TABLE tokenomics.proposal_history (
    number   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    proposal text        NOT NULL REFERENCES tokenomics.proposals (id),
    at       timestamptz NOT NULL,
    state    text        NOT NULL,
    why      text        NOT NULL
);
CREATE INDEX proposal_history_of_proposal ON tokenomics.proposal_history (proposal, number);
COMMENT ON TABLE tokenomics.proposal_history IS 'What happened to each proposal, append-only';
CREATE TRIGGER proposal_history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tokenomics.proposal_history FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TABLE tokenomics.ballots (
    proposal text        NOT NULL REFERENCES tokenomics.proposals (id),
    voter    uuid        NOT NULL REFERENCES tokenomics.owners (id),
    number   bigint      GENERATED ALWAYS AS IDENTITY,
    choice   text        NOT NULL CHECK (choice IN ('For', 'Against', 'Abstain')),
    reason   text,
    cast_at  timestamptz NOT NULL,
    PRIMARY KEY (proposal, voter),
    UNIQUE (proposal, number)
);
COMMENT ON TABLE tokenomics.ballots IS 'The ballot of each account as it stands; all that it ever was is in ballot_history';

CREATE TABLE tokenomics.ballot_powers (
    proposal text   NOT NULL,
    owner    uuid   NOT NULL REFERENCES tokenomics.owners (id),
    through  uuid   NOT NULL,
    amount   bigint NOT NULL CHECK (amount > 0),
    PRIMARY KEY (proposal, owner),
    FOREIGN KEY (proposal, through) REFERENCES tokenomics.ballots (proposal, voter)
);
CREATE INDEX ballot_powers_through ON tokenomics.ballot_powers (proposal, through);
CREATE INDEX ballot_powers_of_owner ON tokenomics.ballot_powers (owner);
COMMENT ON TABLE tokenomics.ballot_powers IS 'Whose stake a ballot carries. The key lets each owner''s stake count once in a proposal, through whichever ballot';
COMMENT ON COLUMN tokenomics.ballot_powers.through IS 'The voter whose ballot carries it: the owner, or the delegate';

CREATE TABLE tokenomics.ballot_history (
    number   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    proposal text        NOT NULL,
    voter    uuid        NOT NULL,
    choice   text        NOT NULL,
    power    bigint      NOT NULL,
    reason   text,
    cast_at  timestamptz NOT NULL,
    FOREIGN KEY (proposal, voter) REFERENCES tokenomics.ballots (proposal, voter)
);
CREATE INDEX ballot_history_of_ballot ON tokenomics.ballot_history (proposal, voter, number);
COMMENT ON TABLE tokenomics.ballot_history IS 'Every ballot as it was cast, changes included, append-only';
COMMENT ON COLUMN tokenomics.ballot_history.power IS 'Micro-credits it carried then; a delegator who votes later takes theirs out of it';
CREATE TRIGGER ballot_history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tokenomics.ballot_history FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();

CREATE TABLE tokenomics.delegations (
    number   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner    uuid        NOT NULL REFERENCES tokenomics.owners (id),
    delegate uuid        REFERENCES tokenomics.owners (id),
    at       timestamptz NOT NULL,
    CHECK (delegate <> owner)
);
CREATE INDEX delegations_of_owner ON tokenomics.delegations (owner, number DESC);
CREATE INDEX delegations_to ON tokenomics.delegations (delegate, number DESC) WHERE delegate IS NOT NULL;
COMMENT ON TABLE tokenomics.delegations IS 'Who votes for whom, append-only: an owner''s latest row up to a snapshot counts. Numbers are drawn under the shared voting lock, so none appears below a snapshot';
COMMENT ON COLUMN tokenomics.delegations.delegate IS 'Null: taken back';
CREATE TRIGGER delegations_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tokenomics.delegations FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.refuse_change();
