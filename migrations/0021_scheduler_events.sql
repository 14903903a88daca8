-- What happened to jobs and devices, for those who follow it; one-use tickets for WebSockets.

CREATE TABLE scheduler.events (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    position    bigint,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind        text        NOT NULL,
    account_id  uuid        NOT NULL,
    job_id      uuid,
    device_id   text,
    name        text,
    reason      text
);
-- Readers go by position; the sealer finds what has none.
CREATE UNIQUE INDEX events_by_position ON scheduler.events (position) WHERE position IS NOT NULL;
CREATE INDEX events_of_account ON scheduler.events (account_id, position) WHERE position IS NOT NULL;
CREATE INDEX events_unsealed ON scheduler.events (id) WHERE position IS NULL;
COMMENT ON TABLE scheduler.events IS 'Changes of jobs and devices, written by triggers in the transaction of the change; kept for a day';
COMMENT ON COLUMN scheduler.events.id IS 'Order of writing; a lower one may become visible after a higher one, so no reader goes by it';
COMMENT ON COLUMN scheduler.events.position IS 'Order for readers, without gaps: given by seal_events to what has been committed, one sealer at a time; null until then';
COMMENT ON COLUMN scheduler.events.account_id IS 'Owner of the job or device';

CREATE TABLE scheduler.event_positions (
    single  boolean PRIMARY KEY DEFAULT true CHECK (single),
    last    bigint  NOT NULL
);
INSERT INTO scheduler.event_positions (last) VALUES (0);
COMMENT ON TABLE scheduler.event_positions IS 'One row: the highest position given. Its lock makes sealers take turns';

-- Positions must become visible in their order. Whoever gives them holds the row until it commits, and looks for events only after it has the row
-- (a statement of a function sees what was committed before that statement began); so all that a later sealer gives is above what is visible already.
CREATE FUNCTION scheduler.seal_events(at_most int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    reached bigint;
    sealed  int;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM scheduler.events WHERE position IS NULL) THEN
        RETURN 0;
    END IF;
    -- Somebody else is at it: what they leave is found at the next call.
    SELECT last INTO reached FROM scheduler.event_positions FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    WITH fresh AS (SELECT id, row_number() OVER (ORDER BY id) AS number FROM scheduler.events WHERE position IS NULL ORDER BY id LIMIT at_most)
    UPDATE scheduler.events e SET position = reached + f.number FROM fresh f WHERE e.id = f.id;
    GET DIAGNOSTICS sealed = ROW_COUNT;
    UPDATE scheduler.event_positions SET last = reached + sealed;
    RETURN sealed;
END $$;

CREATE FUNCTION scheduler.tell_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO scheduler.events (kind, account_id, job_id, name, reason) VALUES (
        CASE WHEN TG_OP = 'INSERT' THEN 'job_submitted'
             WHEN OLD.state = 'Paused' AND NEW.state IN ('Admitted', 'Running') THEN 'job_resumed'
             WHEN NEW.state = 'Running' THEN 'job_started'
             ELSE 'job_' || lower(NEW.state) END,
        NEW.account_id, NEW.id, NEW.name, NEW.state_reason);
    RETURN NULL;
END $$;
-- The conditions are all that a task's result pays: it changes counters, not the state.
CREATE TRIGGER jobs_tell_of_submit AFTER INSERT ON scheduler.jobs FOR EACH ROW EXECUTE FUNCTION scheduler.tell_of_job();
CREATE TRIGGER jobs_tell_of_state AFTER UPDATE ON scheduler.jobs FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION scheduler.tell_of_job();

-- Eligible and Contributing differ by whether something runs just now, which is no news; all other states in which a device takes nothing are a pause.
CREATE FUNCTION scheduler.tell_of_device() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    taking boolean := NEW.state IN ('Eligible', 'Contributing');
    told   text;
BEGIN
    told := CASE
        WHEN TG_OP = 'INSERT' THEN 'device_registered'
        WHEN NEW.state = 'Unregistered' THEN 'device_unregistered'
        WHEN OLD.state = 'Unregistered' THEN 'device_registered'
        WHEN NEW.state = 'Lost' THEN 'device_lost'
        WHEN OLD.state = 'Lost' THEN 'device_returned'
        WHEN taking AND OLD.state IN ('Eligible', 'Contributing') THEN NULL
        WHEN taking THEN 'device_eligible'
        WHEN OLD.state IN ('Eligible', 'Contributing') OR OLD.state_reason IS DISTINCT FROM NEW.state_reason THEN 'device_paused' END;
    IF told IS NOT NULL THEN
        INSERT INTO scheduler.events (kind, account_id, device_id, name, reason) VALUES (told, NEW.account_id, NEW.id, NEW.name, CASE WHEN taking THEN NULL ELSE NEW.state_reason END);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER devices_tell_of_registration AFTER INSERT ON idle_compute.devices FOR EACH ROW EXECUTE FUNCTION scheduler.tell_of_device();
CREATE TRIGGER devices_tell_of_state AFTER UPDATE ON idle_compute.devices FOR EACH ROW
    WHEN (OLD.state <> NEW.state OR OLD.state_reason IS DISTINCT FROM NEW.state_reason) EXECUTE FUNCTION scheduler.tell_of_device();

CREATE SCHEMA realtime;
COMMENT ON SCHEMA realtime IS 'Live connections';
-- Good for seconds: after a crash nobody misses what was in it.
CREATE UNLOGGED TABLE realtime.tickets (
    hash        bytea       PRIMARY KEY CHECK (length(hash) = 32),
    issued_to   jsonb       NOT NULL,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX tickets_by_expiry ON realtime.tickets (expires_at);
COMMENT ON TABLE realtime.tickets IS 'One-use tickets that open a WebSocket; redeeming deletes the row, on whichever control plane';
COMMENT ON COLUMN realtime.tickets.hash IS 'SHA-256 of the ticket, which was shown once';
COMMENT ON COLUMN realtime.tickets.issued_to IS 'The caller who asked for it';
