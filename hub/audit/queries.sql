-- name: add_entry
-- One entry, in the transaction of what it tells of.
INSERT INTO audit_entry (workspace_id, id, at, action, actor_kind, actor_id, target_kind, target_id, address, details)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::jsonb)
