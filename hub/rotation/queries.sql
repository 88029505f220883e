-- name: key_versions
-- How much each version of the installation's key still holds, of everything that says by which it was sealed.
SELECT what, version, amount FROM hub_key_versions()
UNION ALL SELECT 'push key', key_version, 1 FROM push_key
ORDER BY 1, 2

-- name: stale_workspaces
-- Workspaces after $2 with keys that another version wrapped.
SELECT workspace_id FROM hub_stale_key_workspaces($1, $2, $3) AS workspace_id

-- name: stale_keys
-- Keys of a workspace that another version wrapped.
SELECT workspace_id, id, key_version, wrapped FROM workspace_key WHERE workspace_id = $1 AND key_version <> $2 ORDER BY id

-- name: rewrap_key
-- The same key wrapped anew, unless somebody else did meanwhile.
UPDATE workspace_key SET key_version = $4, wrapped = $5 WHERE workspace_id = $1 AND id = $2 AND wrapped = $3

-- name: stale_exports
-- Exports whose key another version wrapped.
SELECT workspace_id, id FROM hub_stale_exports($1, $2, $3)

-- name: export_key
-- The key of one export.
SELECT key_version, wrapped FROM contact_export WHERE workspace_id = $1 AND id = $2 AND key_version IS NOT NULL

-- name: rewrap_export
-- The same key wrapped anew, unless somebody else did meanwhile.
UPDATE contact_export SET key_version = $4, wrapped = $5 WHERE workspace_id = $1 AND id = $2 AND wrapped = $3

-- name: stale_totps
-- Secrets of authenticator apps that another version sealed.
SELECT login_id, id, secret_sealed FROM hub_stale_totps($1, $2, $3)

-- name: reseal_totp
-- The same secret sealed anew, unless it changed meanwhile.
SELECT hub_reseal_totp($1, $2, $3, $4) AS done

-- name: stale_mails
-- Mails that wait, sealed to another version's key.
SELECT id, sealed, key_version FROM hub_stale_mails($1, $2, $3)

-- name: reseal_mail
-- The same mail sealed anew, unless it went out meanwhile.
SELECT hub_reseal_mail($1, $2, $3, $4) AS done
