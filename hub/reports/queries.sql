-- name: calls
-- Counts the calls of a span by day ($4: time zone), way, member and whether somebody took it. A call whose end nobody told
-- us of is neither answered nor missed before it is four hours old, and not known after: it is left out.
SELECT (m.occurred_at AT TIME ZONE $4)::date AS day, m.direction = 'inbound' AS inbound,
       m.call ->> 'outcome' = 'answered' AS answered,
       CASE WHEN m.direction = 'outbound' THEN m.author_name
            WHEN m.call ->> 'outcome' = 'answered' THEN coalesce(m.call ->> 'member', '') ELSE '' END AS member,
       count(*) AS amount,
       count(w.wait_s) AS answered_waits, coalesce(sum(w.wait_s), 0)::bigint AS wait_s,
       coalesce(max(w.wait_s), 0) AS longest_wait_s,
       coalesce(sum((m.call ->> 'talk_s')::integer), 0)::bigint AS talk_s
FROM message m
JOIN conversation c ON c.workspace_id = m.workspace_id AND c.id = m.conversation_id
CROSS JOIN LATERAL (
    SELECT CASE WHEN m.direction = 'inbound' AND m.call ->> 'outcome' = 'answered' THEN
        greatest(0, extract(epoch FROM (m.call ->> 'answered_at')::timestamptz - m.occurred_at))::integer END AS wait_s) w
WHERE m.workspace_id = $1 AND m.kind = 'call' AND m.occurred_at >= $2 AND m.occurred_at < $3 AND m.deleted_at IS NULL
  AND (m.call ->> 'outcome' IN ('answered', 'missed') OR m.direction = 'outbound' AND m.call ->> 'outcome' = 'failed')
  AND ($5::uuid[] IS NULL OR c.inbox_id = ANY ($5::uuid[]))
GROUP BY 1, 2, 3, 4
