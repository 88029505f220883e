-- name: announce_worker
-- Says that a worker is alive; returns no row when another process has taken its name since.
INSERT INTO intake_worker (holder, incarnation, live_until)
VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3::float8))
ON CONFLICT (holder) DO UPDATE SET live_until = excluded.live_until
WHERE intake_worker.incarnation = excluded.incarnation
RETURNING holder

-- name: enter_worker
-- Takes a worker's name for this process; one that used it before finds out at its next announcement.
INSERT INTO intake_worker (holder, incarnation, live_until)
VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3::float8))
ON CONFLICT (holder) DO UPDATE SET incarnation = excluded.incarnation, live_until = excluded.live_until

-- name: live_workers
-- Names of the workers that want partitions now.
SELECT holder FROM intake_worker WHERE live_until > clock_timestamp() ORDER BY holder

-- name: read_leases
-- Every partition that was ever leased, and whether somebody holds it now.
SELECT partition, holder, lease_until > clock_timestamp() AS is_live FROM partition_lease ORDER BY partition

-- name: take_leases
-- Leases partitions that are the holder's own, or nobody's; returns those it got.
INSERT INTO partition_lease (partition, holder, lease_until)
SELECT wanted.partition, $1, clock_timestamp() + make_interval(secs => $3::float8)
FROM unnest($2::integer[]) AS wanted (partition)
ON CONFLICT (partition) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until
WHERE partition_lease.holder = excluded.holder OR partition_lease.lease_until <= clock_timestamp()
RETURNING partition

-- name: release_leases
-- Ends leases before their time, so that another worker can take the partitions at once.
DELETE FROM partition_lease WHERE holder = $1 AND partition = ANY ($2::integer[])

-- name: leave_worker
-- Ends a worker's share; a process that took the name over keeps its row.
DELETE FROM intake_worker WHERE holder = $1 AND incarnation = $2

-- name: forget_workers
-- Removes workers that have not been heard of for a day.
DELETE FROM intake_worker WHERE live_until < clock_timestamp() - interval '1 day'

-- name: insert_dead_letter
-- Keeps a raw item that could not be stored; a second time for the same stream entry changes nothing.
-- The bytes of one that travelled by reference are copied.
INSERT INTO dead_letter (workspace_id, id, channel_account_id, channel, key, body, error, stream, entry_id,
                         received_at, created_at)
VALUES ($1, $2, $3, $4, $5, coalesce((SELECT r.body FROM raw_item r WHERE r.workspace_id = $1 AND r.id = $12), $6),
        $7, $8, $9, $10, $11)
ON CONFLICT (workspace_id, stream, entry_id) DO NOTHING

-- name: list_dead_letters
-- Dead letters of some workspaces in one state, newest first, before an id, of one channel or any, kept since a moment;
-- without their bytes.
SELECT workspace_id, id, channel_account_id, channel, key, length(body) AS size_bytes, error, received_at, created_at, state
FROM dead_letter
WHERE workspace_id = ANY ($1::bigint[]) AND state = $2 AND ($3::uuid IS NULL OR id < $3::uuid)
  AND ($5::text IS NULL OR channel = $5::text) AND ($6::timestamptz IS NULL OR created_at >= $6::timestamptz)
ORDER BY id DESC LIMIT $4

-- name: find_dead_letter
-- One dead letter of any of some workspaces, with the first bytes of its body.
SELECT workspace_id, id, channel_account_id, channel, key, length(body) AS size_bytes, error, received_at, created_at, state,
       substring(body FROM 1 FOR $3) AS head
FROM dead_letter WHERE workspace_id = ANY ($1::bigint[]) AND id = $2

-- name: dead_letter_workspaces
-- Workspaces that have dead letters in any state.
SELECT workspace_id FROM hub_dead_letter_workspaces() ORDER BY workspace_id

-- name: get_dead_letter
-- One dead letter with its bytes.
SELECT workspace_id, id, channel_account_id, channel, key, body, received_at, state
FROM dead_letter WHERE workspace_id = $1 AND id = $2

-- name: set_dead_letter_state
-- Marks a new dead letter as replayed or dropped; returns no row when it was not new.
UPDATE dead_letter SET state = $3 WHERE workspace_id = $1 AND id = $2 AND state = 'new'
RETURNING id

-- name: count_live_workers
-- How many workers share the work now.
SELECT count(*)::integer FROM intake_worker WHERE live_until > clock_timestamp()

-- name: take_polls
-- Leases the polling of connected accounts that is the holder's own, or nobody's; returns those it got.
INSERT INTO channel_cursor (workspace_id, channel_account_id, holder, lease_until)
SELECT a.workspace_id, a.id, $1, clock_timestamp() + make_interval(secs => $4::float8)
FROM unnest($2::bigint[], $3::uuid[]) AS wanted (workspace_id, id)
JOIN channel_account a ON a.workspace_id = wanted.workspace_id AND a.id = wanted.id AND a.status = 'connected'
ON CONFLICT (workspace_id, channel_account_id)
DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until
WHERE channel_cursor.holder = excluded.holder OR channel_cursor.lease_until IS NULL
    OR channel_cursor.lease_until <= clock_timestamp()
RETURNING channel_account_id, cursor

-- name: release_poll
-- Ends a lease before its time, so that another worker can go on at once; of an account that is not read any more ($4)
-- it also forgets how that went.
UPDATE channel_cursor SET holder = NULL, lease_until = NULL,
    error = CASE WHEN $4 THEN NULL ELSE error END, checked_at = CASE WHEN $4 THEN NULL ELSE checked_at END
WHERE workspace_id = $1 AND channel_account_id = $2 AND holder = $3

-- name: save_poll
-- Keeps how far an account was read; returns no row when somebody else reads it by now.
UPDATE channel_cursor
SET cursor = $4, progress = $5::text::jsonb, error = NULL, checked_at = clock_timestamp(),
    last_item_at = CASE WHEN $6 THEN clock_timestamp() ELSE last_item_at END
WHERE workspace_id = $1 AND channel_account_id = $2 AND holder = $3
RETURNING channel_account_id

-- name: save_poll_error
-- Keeps why an account cannot be read at the moment.
UPDATE channel_cursor SET error = $4, checked_at = clock_timestamp()
WHERE workspace_id = $1 AND channel_account_id = $2 AND holder = $3

-- name: list_poll_health
-- How reading and looking after the accounts of a workspace goes; $2 is NULL for all of them.
SELECT a.id AS channel_account_id, c.last_item_at,
       coalesce(c.progress, CASE WHEN u.history_done_at IS NULL THEN u.history_progress END)::text AS progress,
       coalesce(c.error, u.maintain_error, u.history_error) AS error,
       extract(epoch FROM clock_timestamp() - c.checked_at)::float8 AS lag_s, u.unreachable_since
FROM channel_account a
LEFT JOIN channel_cursor c ON c.workspace_id = a.workspace_id AND c.channel_account_id = a.id
LEFT JOIN channel_upkeep u ON u.workspace_id = a.workspace_id AND u.channel_account_id = a.id
WHERE a.workspace_id = $1 AND ($2::uuid[] IS NULL OR a.id = ANY ($2::uuid[]))
  AND (c.channel_account_id IS NOT NULL OR u.channel_account_id IS NOT NULL)

-- name: insert_raw_item
-- Keeps the bytes of an item that is too large for a stream, or whose attachments are parts of it.
INSERT INTO raw_item (workspace_id, id, channel_account_id, key, body, created_at)
VALUES ($1, $2, $3, $4, $5, $6)

-- name: get_raw_item
-- The bytes of one raw item.
SELECT body FROM raw_item WHERE workspace_id = $1 AND id = $2

-- name: old_raw_items
-- Raw items made before a moment that no file waits for, oldest first.
SELECT workspace_id, id FROM hub_old_raw_items($1, $2)

-- name: sweep_raw_items
-- Deletes raw items whose time is over; one that a file waits for since they were looked up stays.
DELETE FROM raw_item USING unnest($1::bigint[], $2::uuid[]) AS gone (workspace_id, id)
WHERE raw_item.workspace_id = gone.workspace_id AND raw_item.id = gone.id AND NOT EXISTS (
    SELECT FROM attachment a
    WHERE a.workspace_id = gone.workspace_id AND a.raw_item_id = gone.id AND a.state = 'pending')

-- name: delete_raw_items
-- Forgets raw items; one that a file comes from stays, for an entry that is delivered again asks for it a second time.
DELETE FROM raw_item USING unnest($1::bigint[], $2::uuid[]) AS gone (workspace_id, id)
WHERE raw_item.workspace_id = gone.workspace_id AND raw_item.id = gone.id AND NOT EXISTS (
    SELECT FROM attachment a WHERE a.workspace_id = gone.workspace_id AND a.raw_item_id = gone.id)

-- name: insert_spooled
-- Spools items of any workspaces of the transaction.
INSERT INTO intake_spool (workspace_id, id, partition, item, created_at)
SELECT s.workspace_id, s.id, s.partition, s.item, $5
FROM unnest($1::bigint[], $2::uuid[], $3::integer[], $4::bytea[]) AS s (workspace_id, id, partition, item)

-- name: spooled_workspaces
-- Workspaces that have spooled items, and how many items there are in all.
SELECT workspace_id, (SELECT hub_spool_count()) AS depth FROM hub_spooled_workspaces()

-- name: spooled_items
-- The oldest spooled items of a partition: where they are, not what they are.
SELECT workspace_id, id FROM hub_spooled_items($1, $2)

-- name: read_spooled
-- Spooled items, oldest first.
SELECT s.workspace_id, s.id, s.item
FROM unnest($1::bigint[], $2::uuid[]) AS wanted (workspace_id, id)
JOIN intake_spool s ON s.workspace_id = wanted.workspace_id AND s.id = wanted.id
ORDER BY s.id

-- name: delete_spooled
-- Removes spooled items that are on their streams.
DELETE FROM intake_spool USING unnest($1::bigint[], $2::uuid[]) AS gone (workspace_id, id)
WHERE intake_spool.workspace_id = gone.workspace_id AND intake_spool.id = gone.id
