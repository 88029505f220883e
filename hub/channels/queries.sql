-- name: list_inboxes
-- Inboxes of a workspace, oldest first; $2 is NULL for an audience that sees all of them.
SELECT id, name, restricted, reopen_days, version FROM inbox
WHERE workspace_id = $1 AND ($2::uuid[] IS NULL OR id = ANY ($2::uuid[]))
ORDER BY created_at, id

-- name: get_inbox
-- One inbox.
SELECT id, name, restricted, reopen_days, version FROM inbox WHERE workspace_id = $1 AND id = $2

-- name: first_inbox
-- The workspace's oldest inbox that every member sees, else its oldest.
SELECT id, name, restricted, reopen_days, version FROM inbox
WHERE workspace_id = $1 ORDER BY restricted, created_at, id LIMIT 1

-- name: insert_inbox
-- Adds an inbox.
INSERT INTO inbox (workspace_id, id, name, restricted, reopen_days, created_at, version)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: update_inbox
-- Writes what can change of an inbox.
UPDATE inbox SET name = $3, restricted = $4, reopen_days = $5, version = $6 WHERE workspace_id = $1 AND id = $2

-- name: list_channel_accounts
-- Channel accounts of a workspace, removed ones too, oldest first; $2 is NULL for an audience that sees every inbox.
SELECT id, inbox_id, channel, name, status, status_reason, settings::text AS settings, created_at, version, demo
FROM channel_account
WHERE workspace_id = $1 AND ($2::uuid[] IS NULL OR inbox_id = ANY ($2::uuid[]))
ORDER BY created_at, id

-- name: get_channel_account
-- One channel account without its secrets.
SELECT id, inbox_id, channel, name, status, status_reason, settings::text AS settings, created_at, version, demo
FROM channel_account WHERE workspace_id = $1 AND id = $2

-- name: sealed_credentials
-- The sealed credentials of one channel account with the key that sealed them.
SELECT a.credentials_sealed, k.workspace_id, k.id, k.key_version, k.wrapped
FROM channel_account a JOIN workspace_key k ON k.workspace_id = a.workspace_id AND k.purpose = 'credentials'
WHERE a.workspace_id = $1 AND a.id = $2 AND a.credentials_sealed IS NOT NULL
ORDER BY k.id

-- name: insert_channel_account
-- Adds a channel account.
INSERT INTO channel_account (workspace_id, id, inbox_id, channel, name, status, settings, credentials_sealed,
                             external_ref, created_at, version, demo)
VALUES ($1, $2, $3, $4, $5, 'connected', $6::text::jsonb, $7, $8, $9, $10, $11)

-- name: update_channel_account
-- Writes what members see of a channel account.
UPDATE channel_account SET name = $3, status = $4, status_reason = $5, settings = $6::text::jsonb, version = $7
WHERE workspace_id = $1 AND id = $2

-- name: update_credentials
-- Replaces the sealed credentials (NULL forgets them) and the vendor's id of the account where one is given.
UPDATE channel_account SET credentials_sealed = $3, external_ref = coalesce($4, external_ref)
WHERE workspace_id = $1 AND id = $2

-- name: newest_key
-- The data key that seals new values of a workspace.
SELECT workspace_id, id, key_version, wrapped FROM workspace_key
WHERE workspace_id = $1 AND purpose = 'credentials' ORDER BY id DESC LIMIT 1

-- name: keys
-- Every data key of a workspace.
SELECT workspace_id, id, key_version, wrapped FROM workspace_key
WHERE workspace_id = $1 AND purpose = 'credentials' ORDER BY id

-- name: insert_key
-- Adds a wrapped data key.
INSERT INTO workspace_key (workspace_id, id, key_version, wrapped, created_at) VALUES ($1, $2, $3, $4, $5)

-- name: update_key
-- Replaces the wrapping of a data key; what it sealed stays readable.
UPDATE workspace_key SET key_version = $3, wrapped = $4 WHERE workspace_id = $1 AND id = $2

-- name: load_routes
-- Every channel account that is not removed, of every workspace: routing facts and sealed credentials.
SELECT workspace_id, id, inbox_id, channel, status, settings, credentials_sealed, external_ref, demo, token_expires_at
FROM hub_channel_routes()

-- name: load_keys
-- Every wrapped data key, of every workspace.
SELECT workspace_id, id, key_version, wrapped FROM hub_workspace_keys()
