-- Enrolment tokens may be good for a number of machines only.
ALTER TABLE identity.access_keys
    ADD COLUMN uses_left integer CHECK (uses_left >= 0),
    ADD COLUMN used_by   text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN identity.access_keys.uses_left IS 'How many more machines may enrol; null: any number';
COMMENT ON COLUMN identity.access_keys.used_by IS 'Device ids that used a counted token: repeating a registration whose answer was lost spends nothing';
CREATE INDEX access_keys_account ON identity.access_keys (account_id);
