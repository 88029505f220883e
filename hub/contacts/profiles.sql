-- name: want_profiles
-- Notes whose name is to be asked for: contacts that have none and whom no member named. Who was asked about a while ago
-- in vain is asked about again.
INSERT INTO contact_profile (workspace_id, contact_id, channel_account_id, scheme, scope, value, due_at, wanted_at)
SELECT wanted.workspace_id, wanted.contact_id, wanted.channel_account_id, wanted.scheme, wanted.scope, wanted.value, $2, $2
FROM json_to_recordset($1::json) AS wanted (workspace_id bigint, contact_id uuid, channel_account_id uuid, scheme text,
                                            scope text, value text)
JOIN contact c ON c.workspace_id = wanted.workspace_id AND c.id = wanted.contact_id
WHERE c.name = '' AND NOT c.name_is_edited
ON CONFLICT (workspace_id, contact_id) DO UPDATE SET
    channel_account_id = excluded.channel_account_id, scheme = excluded.scheme, scope = excluded.scope,
    value = excluded.value, due_at = excluded.due_at, attempt = 0, wanted_at = excluded.wanted_at
WHERE contact_profile.due_at IS NULL AND contact_profile.wanted_at <= $3

-- name: due_profiles
-- Contacts whose name is to be asked for now, across workspaces, a few of each account: ids only.
SELECT workspace_id, channel_account_id, contact_id FROM hub_due_profiles($1, $2, $3)

-- name: claim_profile
-- Takes a due question until a moment; returns no row when somebody else has it.
UPDATE contact_profile p SET due_at = $4, attempt = p.attempt + 1
FROM (SELECT workspace_id, contact_id FROM contact_profile
      WHERE workspace_id = $1 AND contact_id = $2 AND due_at <= $3
      FOR UPDATE SKIP LOCKED) AS due
WHERE p.workspace_id = due.workspace_id AND p.contact_id = due.contact_id
RETURNING p.channel_account_id, p.scheme, p.scope, p.value, p.attempt

-- name: put_off_profile
-- Asks again at a moment (NULL: no more), as the try with this number.
UPDATE contact_profile SET due_at = $3, attempt = $4 WHERE workspace_id = $1 AND contact_id = $2

-- name: may_be_named
-- Whether a vendor may name a contact.
SELECT name = '' AND NOT name_is_edited FROM contact WHERE workspace_id = $1 AND id = $2

-- name: keep_avatar
-- Keeps a contact's picture in place of an earlier one.
INSERT INTO contact_avatar (workspace_id, contact_id, token, webp, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (workspace_id, contact_id)
DO UPDATE SET token = excluded.token, webp = excluded.webp, created_at = excluded.created_at

-- name: name_avatar
-- Says where a contact's picture is.
UPDATE contact SET avatar = $3 WHERE workspace_id = $1 AND id = $2

-- name: read_avatar
-- A contact's picture by its token.
SELECT webp FROM contact_avatar WHERE workspace_id = $1 AND token = $2
