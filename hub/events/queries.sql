-- name: lock_workspaces
-- Names the tenants of this transaction and locks their counters in id order; the first statement of every writing action.
SELECT workspace_id, event_seq, text_key_id, former_text_key_id FROM events_lock($1::bigint[])

-- name: append_events
-- Writes numbered events and moves the counters to the newest numbers given out. A repeated dedupe key or seq is an
-- error and rolls the transaction back.
WITH appended AS (
    INSERT INTO event (workspace_id, seq, type, inbox_id, former_inbox_id, conversation_id, conversation_seq,
                       contact_id, actor_id, dedupe_key, data, occurred_at)
    SELECT workspace_id, seq, type, inbox_id, former_inbox_id, conversation_id, conversation_seq,
           contact_id, actor_id, dedupe_key, data::json, occurred_at
    FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::bigint[],
                $8::uuid[], $9::uuid[], $10::text[], $11::text[], $12::timestamptz[])
         AS new (workspace_id, seq, type, inbox_id, former_inbox_id, conversation_id, conversation_seq,
                 contact_id, actor_id, dedupe_key, data, occurred_at)
)
UPDATE workspace SET event_seq = new.head
FROM unnest($13::bigint[], $14::bigint[]) AS new (workspace_id, head)
WHERE workspace.id = new.workspace_id

-- name: events_after
-- Events of one workspace after a seq, in order, at most $3.
SELECT workspace_id, seq, type, inbox_id, former_inbox_id, conversation_id, conversation_seq, data::text AS data
FROM event WHERE workspace_id = $1 AND seq > $2 ORDER BY seq LIMIT $3

-- name: event_ranges
-- Events of several workspaces, each after a seq, in order, at most so many of each; ``number`` says whose answer it is.
SELECT wanted.number, e.workspace_id, e.seq, e.type, e.inbox_id, e.former_inbox_id, e.conversation_id,
       e.conversation_seq, e.data::text AS data
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS wanted (workspace_id, after, most, number)
CROSS JOIN LATERAL (
    SELECT workspace_id, seq, type, inbox_id, former_inbox_id, conversation_id, conversation_seq, data FROM event
    WHERE event.workspace_id = wanted.workspace_id AND event.seq > wanted.after
    ORDER BY event.seq LIMIT wanted.most) e
ORDER BY wanted.number, e.seq

-- name: conversation_ranges
-- Events visitors may see, of several conversations, each after a conversation_seq, in order, at most so many of each.
SELECT wanted.number, e.workspace_id, e.seq, e.type, e.inbox_id, e.former_inbox_id, e.conversation_id,
       e.conversation_seq, e.data::text AS data
FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::bigint[])
     WITH ORDINALITY AS wanted (workspace_id, conversation_id, after, most, number)
CROSS JOIN LATERAL (
    SELECT workspace_id, seq, type, inbox_id, former_inbox_id, conversation_id, conversation_seq, data FROM event
    WHERE event.workspace_id = wanted.workspace_id AND event.conversation_id = wanted.conversation_id
      AND event.conversation_seq > wanted.after
    ORDER BY event.conversation_seq LIMIT wanted.most) e
ORDER BY wanted.number, e.conversation_seq

-- name: visible_head
-- Newest seq at or before $2 that an audience may see; $3 is NULL for an audience that sees every inbox.
SELECT coalesce(max(seq), 0) AS seq FROM event
WHERE workspace_id = $1 AND seq <= $2
  AND ($3::uuid[] IS NULL OR inbox_id IS NULL OR inbox_id = ANY ($3::uuid[]) OR former_inbox_id = ANY ($3::uuid[]))

-- name: visible_heads
-- The same for several audiences at once; no row where an audience may see nothing up to there.
WITH wanted AS MATERIALIZED (
    SELECT number, workspace_id, at, inboxes::uuid[] AS inboxes
    FROM unnest($1::bigint[], $2::bigint[], $3::text[]) WITH ORDINALITY AS given (workspace_id, at, inboxes, number)
)
SELECT wanted.number, e.seq
FROM wanted CROSS JOIN LATERAL (
    SELECT event.seq FROM event
    WHERE event.workspace_id = wanted.workspace_id AND event.seq <= wanted.at
      AND (event.inbox_id IS NULL OR event.inbox_id = ANY (wanted.inboxes)
           OR event.former_inbox_id = ANY (wanted.inboxes))
    ORDER BY event.seq DESC LIMIT 1) e

-- name: workspace_head
-- Newest seq of one workspace.
SELECT event_seq FROM workspace WHERE id = $1

-- name: recent_heads
-- Newest seq of every workspace with events since $1; ids and numbers only.
SELECT workspace_id, head FROM hub_recent_heads($1)

-- name: heads
-- Newest seq of the named workspaces, and the version of the rights that holds there.
SELECT workspace_id, head, rights_version FROM hub_heads($1::bigint[])

-- name: event_row
-- The row an event carries under the name $3.
SELECT seq, (data -> $3)::text AS data FROM event WHERE workspace_id = $1 AND seq = $2

-- name: passing_events
-- What may be shown of events to whoever runs the installation: kinds, ids and states, never their contents.
SELECT e.workspace_id, e.seq, e.type, e.conversation_id, e.actor_id, e.appended_at, c.channel,
       e.data -> 'message' ->> 'author_kind' AS author_kind,
       coalesce(e.data ->> 'status', e.data -> 'conversation' ->> 'status') AS status
FROM event e LEFT JOIN conversation c ON c.workspace_id = e.workspace_id AND c.id = e.conversation_id
WHERE e.workspace_id = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3

-- name: first_since
-- The first seq of a workspace not older than $2. The fence keeps the planner from walking up the whole log for a minimum.
SELECT min(seq) AS seq
FROM (SELECT seq FROM event WHERE workspace_id = $1 AND appended_at >= $2 OFFSET 0) AS recent

-- name: begin_reading
-- A room's place in a workspace's log, made at its first look.
INSERT INTO reaction_cursor (workspace_id, room, seq) VALUES ($1, $2, 0) ON CONFLICT (workspace_id, room) DO NOTHING

-- name: lock_place
-- Where a room goes on; no row while another process reads for it.
SELECT seq FROM reaction_cursor WHERE workspace_id = $1 AND room = $2 FOR UPDATE SKIP LOCKED

-- name: move_place
-- The room has dealt with everything up to a seq.
UPDATE reaction_cursor SET seq = $3 WHERE workspace_id = $1 AND room = $2

-- name: happenings_after
-- Events after a seq, in order, at most $3; what they say only of the types asked for.
SELECT seq, type, inbox_id, conversation_id, actor_id, appended_at,
       CASE WHEN type = ANY ($4::text[]) THEN data::text ELSE '' END AS data
FROM event WHERE workspace_id = $1 AND seq > $2 ORDER BY seq LIMIT $3

-- name: rooms_behind
-- Workspaces whose log a room has not read to its end.
SELECT workspace_id FROM hub_rooms_behind($1, $2) AS workspace_id
