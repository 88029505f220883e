-- name: list_accounts
-- The demo's channel accounts, oldest first.
SELECT id FROM channel_account WHERE workspace_id = $1 AND demo ORDER BY created_at, id

-- name: some_conversations
-- Some conversations of channel accounts, with whoever took part in them.
SELECT v.id, v.inbox_id, v.status, ARRAY(
           SELECT p.contact_id FROM conversation_participant p
           WHERE p.workspace_id = v.workspace_id AND p.conversation_id = v.id) || v.contact_id AS contact_ids
FROM conversation v
WHERE v.workspace_id = $1 AND v.channel_account_id = ANY ($2::uuid[])
ORDER BY v.channel_account_id, v.id LIMIT $3

-- name: delete_conversations
-- Removes conversations with their messages, files, deliveries and read marks.
DELETE FROM conversation WHERE workspace_id = $1 AND id = ANY ($2::uuid[])

-- name: delete_contacts
-- Removes those of the named contacts that take part in no conversation any more.
DELETE FROM contact c
WHERE c.workspace_id = $1 AND c.id = ANY ($2::uuid[])
  AND NOT EXISTS (SELECT FROM conversation v WHERE v.workspace_id = $1 AND v.contact_id = c.id)
  AND NOT EXISTS (SELECT FROM conversation_participant p WHERE p.workspace_id = $1 AND p.contact_id = c.id)
  AND NOT EXISTS (SELECT FROM contact merged WHERE merged.workspace_id = $1 AND merged.merged_into = c.id)
RETURNING c.id

-- name: delete_letters
-- Forgets what channel accounts sent that could not be read.
DELETE FROM dead_letter WHERE workspace_id = $1 AND channel_account_id = ANY ($2::uuid[])

-- name: delete_raw_items
-- Forgets the vendor's bytes of channel accounts.
DELETE FROM raw_item WHERE workspace_id = $1 AND channel_account_id = ANY ($2::uuid[])

-- name: delete_pending_references
-- Forgets what still waited for its message.
DELETE FROM pending_reference WHERE workspace_id = $1 AND channel_account_id = ANY ($2::uuid[])

-- name: delete_uploads
-- Forgets files that were uploaded for a conversation that has gone, and not sent.
DELETE FROM attachment a
WHERE a.workspace_id = $1 AND a.message_id IS NULL AND a.conversation_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM conversation v WHERE v.workspace_id = $1 AND v.id = a.conversation_id)

-- name: delete_accounts
-- Removes channel accounts; nothing refers to them any more.
DELETE FROM channel_account WHERE workspace_id = $1 AND id = ANY ($2::uuid[])

-- name: first_demo_event
-- The seq before the first event since the demo's oldest account was made, and the newest.
SELECT coalesce(min(e.seq), 1) - 1 AS before, coalesce(max(e.seq), 0) AS newest FROM event e
WHERE e.workspace_id = $1
  AND e.appended_at >= (SELECT min(a.created_at) - interval '1 minute' FROM channel_account a
                         WHERE a.workspace_id = $1 AND a.demo)

-- name: erase_events
-- Empties events after a seq, up to another, of the demo's accounts and of what has gone; they keep their numbers.
SELECT hub_erase_events($1, $2, $3) AS amount

-- name: workspaces
-- Workspaces in which a demo is.
SELECT DISTINCT workspace_id FROM hub_channel_routes() WHERE demo ORDER BY workspace_id
