-- How a telephone call stands: outcome, who spoke, when and how long.
ALTER TABLE message ADD COLUMN call jsonb, ADD CHECK (call IS NULL OR kind = 'call');

-- The report over calls reads a span of days of one workspace.
CREATE INDEX message_calls ON message (workspace_id, occurred_at) WHERE kind = 'call';
