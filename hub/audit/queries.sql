-- name: add_entry
-- One entry, in the transaction of what it tells of.
INSERT INTO audit_entry (workspace_id, id, at, action, actor_kind, actor_id, target_kind, target_id, address, details)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::jsonb)

-- name: chains
-- Every chain, its newest place and the newest signed one.
SELECT workspace_id, position_, signed FROM hub_audit_chains()

-- name: unsealed_chains
-- Chains with entries that wait for their place.
SELECT workspace_id FROM hub_unsealed_audit($1)

-- name: try_lock_chain
-- Whether this transaction alone may lengthen the chain; nobody waits for it. The first number keeps these locks apart.
SELECT pg_try_advisory_xact_lock(4021, hashint8($1::bigint)) AS held

-- name: chain_end
-- The newest place of a chain and its hash.
SELECT position, hash FROM audit_entry WHERE workspace_id = $1 AND position IS NOT NULL ORDER BY position DESC LIMIT 1

-- name: tail
-- The end of a chain as it was noted when it was sealed.
SELECT workspace_id, position, hash, sealed_at AS signed_at, ''::bytea AS public_key, ''::bytea AS signature
FROM audit_tail WHERE workspace_id = $1

-- name: unsealed
-- Entries that wait for their place, oldest first.
SELECT workspace_id, id, at, action, actor_kind, actor_id, target_kind, target_id, address, details::text AS details,
       position, hash
FROM audit_entry WHERE workspace_id = $1 AND position IS NULL ORDER BY id LIMIT $2

-- name: seal
-- Gives entries their places and hashes; returns how many got one.
SELECT hub_seal_audit($1, $2, $3::uuid[], $4::bytea[]) AS sealed

-- name: links
-- Entries of a chain from a place on, in its order.
SELECT workspace_id, id, at, action, actor_kind, actor_id, target_kind, target_id, address, details::text AS details,
       position, hash
FROM audit_entry WHERE workspace_id = $1 AND position >= $2 ORDER BY position LIMIT $3

-- name: count_unsealed
-- How many entries wait for their place, and since when.
SELECT count(*) AS entries, min(at) AS since FROM audit_entry WHERE workspace_id = $1 AND position IS NULL

-- name: add_head
-- A signed head; one that is there already stays as it is.
INSERT INTO audit_head (workspace_id, position, hash, signed_at, public_key, signature) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (workspace_id, position) DO NOTHING

-- name: heads
-- Signed heads of a chain from a place on, in its order.
SELECT workspace_id, position, hash, signed_at, public_key, signature FROM audit_head
WHERE workspace_id = $1 AND position >= $2 ORDER BY position LIMIT $3

-- name: page
-- Entries of one workspace, newest first, older than $2, that fit the filters given. The bounds of the id follow from
-- those of the time, with a margin, so that the index is walked no further than needed. The beginning of the action is
-- a range and no LIKE: under row security only what tells nothing of other rows may search an index.
SELECT workspace_id, id, at, action, actor_kind, actor_id, target_kind, target_id, address, details::text AS details,
       position, hash
FROM audit_entry
WHERE workspace_id = $1
  AND ($2::uuid IS NULL OR id < $2)
  AND ($3::uuid IS NULL OR actor_id = $3)
  AND ($4::text IS NULL OR (action ~>=~ $4 AND action ~<~ ($4 || chr(1114111))))
  AND ($5::text IS NULL OR target_kind = $5)
  AND ($6::text IS NULL OR target_id = $6)
  AND ($7::text IS NULL OR address = $7)
  AND ($8::timestamptz IS NULL OR (at >= $8 AND id >= $10))
  AND ($9::timestamptz IS NULL OR (at < $9 AND id < $11))
ORDER BY id DESC LIMIT $12

-- name: member_names
-- Names of members by their own ids or their logins', as they are now; who was erased has none.
SELECT id, login_id, name FROM member WHERE workspace_id = $1 AND (id = ANY ($2::uuid[]) OR login_id = ANY ($2::uuid[]))
