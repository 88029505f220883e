-- name: insert_hint
-- Keeps a hint until whoever reads the account has fetched what it speaks of; told again, it is the same one. Of an
-- account that has gone nothing is kept.
INSERT INTO channel_hint (workspace_id, channel_account_id, key, body, created_at)
SELECT a.workspace_id, a.id, $3, $4, clock_timestamp() FROM channel_account a
WHERE a.workspace_id = $1 AND a.id = $2 AND a.status <> 'removed'
ON CONFLICT (workspace_id, channel_account_id, key) DO NOTHING

-- name: list_hints
-- Hints of one account, oldest first.
SELECT key, body FROM channel_hint WHERE workspace_id = $1 AND channel_account_id = $2
ORDER BY created_at, key LIMIT $3

-- name: drop_hints
-- Forgets hints that were followed.
DELETE FROM channel_hint WHERE workspace_id = $1 AND channel_account_id = $2 AND key = ANY ($3::text[])

-- name: accounts_to_read
-- Accounts with hints waiting or history unread, across workspaces: ids only.
SELECT workspace_id, id, has_hints FROM hub_accounts_to_read($1)

-- name: want_history
-- Notes once that an account's history is to be read; an account that has gone is passed over.
INSERT INTO channel_upkeep (workspace_id, channel_account_id, history_wanted_at)
SELECT a.workspace_id, a.id, clock_timestamp() FROM channel_account a WHERE a.workspace_id = $1 AND a.id = $2
ON CONFLICT (workspace_id, channel_account_id)
DO UPDATE SET history_wanted_at = coalesce(channel_upkeep.history_wanted_at, excluded.history_wanted_at)

-- name: unread_history
-- How far an account's history was read; no row when none is wanted or all of it was.
SELECT history_cursor AS cursor FROM channel_upkeep
WHERE workspace_id = $1 AND channel_account_id = $2 AND history_wanted_at IS NOT NULL AND history_done_at IS NULL

-- name: save_history
-- Keeps how far history was read, while the lease is the holder's; returns no row when it is not any more.
UPDATE channel_upkeep u SET history_cursor = coalesce($4, u.history_cursor), history_progress = $5::text::jsonb,
    history_error = NULL, history_done_at = CASE WHEN $6 THEN clock_timestamp() ELSE u.history_done_at END
FROM channel_cursor c
WHERE u.workspace_id = $1 AND u.channel_account_id = $2
  AND c.workspace_id = u.workspace_id AND c.channel_account_id = u.channel_account_id AND c.holder = $3
RETURNING u.channel_account_id

-- name: save_history_error
-- Keeps why history cannot be read at the moment.
UPDATE channel_upkeep SET history_error = $3 WHERE workspace_id = $1 AND channel_account_id = $2

-- name: want_maintenance
-- Notes that an account is to be maintained, from now on; one that is on the list stays as it is.
INSERT INTO channel_upkeep (workspace_id, channel_account_id, maintain_due_at)
SELECT a.workspace_id, a.id, clock_timestamp() FROM channel_account a WHERE a.workspace_id = $1 AND a.id = $2
ON CONFLICT (workspace_id, channel_account_id)
DO UPDATE SET maintain_due_at = coalesce(channel_upkeep.maintain_due_at, excluded.maintain_due_at)

-- name: due_upkeep
-- Accounts whose renewal is due, across workspaces: ids only.
SELECT workspace_id, id FROM hub_due_upkeep($1, $2)

-- name: claim_maintenance
-- Takes a due renewal until a moment; returns no row when somebody else has it.
UPDATE channel_upkeep u SET maintain_due_at = $4
FROM (SELECT workspace_id, channel_account_id FROM channel_upkeep
      WHERE workspace_id = $1 AND channel_account_id = $2 AND maintain_due_at <= $3
      FOR UPDATE SKIP LOCKED) AS due
WHERE u.workspace_id = due.workspace_id AND u.channel_account_id = due.channel_account_id
RETURNING u.maintain_failures

-- name: save_maintenance
-- Keeps when a renewal is due again, and why the last one failed (NULL: it did not).
UPDATE channel_upkeep SET maintain_due_at = $3, maintain_error = $4,
    maintain_failures = CASE WHEN $4::text IS NULL THEN 0 ELSE maintain_failures + 1 END
WHERE workspace_id = $1 AND channel_account_id = $2

-- name: note_unreachable
-- Notes since when an account's vendor cannot be reached; an earlier moment stays.
INSERT INTO channel_upkeep (workspace_id, channel_account_id, unreachable_since)
SELECT a.workspace_id, a.id, clock_timestamp() FROM channel_account a WHERE a.workspace_id = $1 AND a.id = $2
ON CONFLICT (workspace_id, channel_account_id)
DO UPDATE SET unreachable_since = coalesce(channel_upkeep.unreachable_since, excluded.unreachable_since)

-- name: note_reachable
-- Notes that an account's vendor answers again.
UPDATE channel_upkeep SET unreachable_since = NULL
WHERE workspace_id = $1 AND channel_account_id = $2 AND unreachable_since IS NOT NULL

-- name: get_templates
-- The templates of an account as they were last fetched.
SELECT templates::text AS templates, templates_at FROM channel_upkeep
WHERE workspace_id = $1 AND channel_account_id = $2 AND templates_at IS NOT NULL

-- name: save_templates
-- Keeps what the vendor knows as an account's templates.
INSERT INTO channel_upkeep (workspace_id, channel_account_id, templates, templates_at)
SELECT a.workspace_id, a.id, $3::text::jsonb, $4 FROM channel_account a WHERE a.workspace_id = $1 AND a.id = $2
ON CONFLICT (workspace_id, channel_account_id)
DO UPDATE SET templates = excluded.templates, templates_at = excluded.templates_at
