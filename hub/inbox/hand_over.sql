-- name: open_assigned
-- Some of the conversations a member has assigned that are not closed.
SELECT id, inbox_id FROM conversation
WHERE workspace_id = $1 AND assignee_id = $2 AND status <> 'closed' ORDER BY id LIMIT $3

-- name: open_counts
-- How many conversations that are not closed each of these members has assigned.
SELECT assignee_id, count(*) AS amount FROM conversation
WHERE workspace_id = $1 AND assignee_id = ANY ($2::uuid[]) AND status <> 'closed' GROUP BY assignee_id
