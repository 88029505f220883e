-- name: insert
-- Adds files: of a batch of received messages, or one that is about to be uploaded.
INSERT INTO attachment (workspace_id, id, message_id, conversation_id, channel_account_id, author_id, state, kind, filename,
                        mime, size_bytes, inline, inline_cid, ref, raw_item_id, upload_offset, attempt, due_at, created_at)
SELECT workspace_id, id, message_id, conversation_id, channel_account_id, author_id, state, kind, filename,
       mime, size_bytes, inline, inline_cid, ref, raw_item_id, upload_offset, attempt, due_at, created_at
FROM json_populate_recordset(NULL::attachment, $1::json)

-- name: get
-- One file with its hidden columns.
SELECT row_to_json(a)::text AS data FROM attachment a WHERE a.workspace_id = $1 AND a.id = $2

-- name: get_many
-- Some files of one author.
SELECT row_to_json(a)::text AS data FROM attachment a
WHERE a.workspace_id = $1 AND a.id = ANY ($2::uuid[]) AND a.author_id = $3

-- name: of_message
-- The files of one message.
SELECT row_to_json(a)::text AS data FROM attachment a WHERE a.workspace_id = $1 AND a.message_id = $2 ORDER BY a.id

-- name: count_unsent
-- How many uploads an author has that were not sent.
SELECT count(*) AS amount FROM attachment
WHERE workspace_id = $1 AND message_id IS NULL AND author_id = $2

-- name: add_part
-- Moves an upload on by one stored part, unless another part came first.
UPDATE attachment SET ref = $4, upload_offset = $5
WHERE workspace_id = $1 AND id = $2 AND upload_offset = $3 AND state = 'pending' AND message_id IS NULL
RETURNING id

-- name: claim
-- Takes a pending file under a lease until $4, unless somebody else has it; $3 is now.
UPDATE attachment SET lease_until = $4, attempt = attempt + 1
FROM (SELECT id FROM attachment WHERE workspace_id = $1 AND id = $2 FOR UPDATE SKIP LOCKED) AS free
WHERE attachment.workspace_id = $1 AND attachment.id = free.id AND attachment.state = 'pending'
  AND (attachment.lease_until IS NULL OR attachment.lease_until <= $3)
RETURNING row_to_json(attachment)::text AS data

-- name: settle
-- Says what became of a pending file; what the sender declared is replaced by what the bytes are.
UPDATE attachment SET state = $3, kind = $4, mime = $5, size_bytes = $6, width = $7, height = $8, sha256 = $9,
    blob_key = $10, thumbnail_key = $11, preview_key = $12, error = $13, ref = NULL, raw_item_id = NULL, due_at = NULL,
    lease_until = NULL
WHERE workspace_id = $1 AND id = $2 AND state = 'pending'
RETURNING row_to_json(attachment)::text AS data

-- name: put_off
-- Gives a file back that could not be fetched now.
UPDATE attachment SET due_at = $3, lease_until = NULL WHERE workspace_id = $1 AND id = $2 AND state = 'pending'

-- name: send
-- Makes an author's checked uploads the files of a message, each once.
UPDATE attachment SET message_id = $4, conversation_id = $5, channel_account_id = $6
WHERE workspace_id = $1 AND id = ANY ($2::uuid[]) AND author_id = $3 AND message_id IS NULL AND state = 'ready'
RETURNING id

-- name: delete_unsent
-- Forgets a file that was not sent; $3 is its author, NULL for whoever it is.
DELETE FROM attachment
WHERE workspace_id = $1 AND id = $2 AND message_id IS NULL AND ($3::uuid IS NULL OR author_id = $3)
RETURNING ref, author_id

-- name: reserve
-- Notes blobs that are about to be stored: unless ``keep`` follows they are swept once $3 has come.
INSERT INTO blob_trash (workspace_id, blob_key, created_at) SELECT $1, k, $3 FROM unnest($2::text[]) AS k
ON CONFLICT (workspace_id, blob_key) DO UPDATE SET created_at = excluded.created_at

-- name: keep
-- Takes blobs off the list of those to be swept: a row names them now.
DELETE FROM blob_trash WHERE workspace_id = $1 AND blob_key = ANY ($2::text[])

-- name: due
-- Files to fetch now, across workspaces: ids only.
SELECT workspace_id, id FROM hub_due_attachments($1, $2)

-- name: unsent
-- Uploads nobody sent, across workspaces: ids only.
SELECT workspace_id, id FROM hub_unsent_attachments($1, $2)

-- name: trashed
-- Blobs to remove, across workspaces.
SELECT workspace_id, blob_key FROM hub_trashed_blobs($1, $2)

-- name: read_raw_item
-- The bytes a file is part of.
SELECT body FROM raw_item WHERE workspace_id = $1 AND id = $2
