-- Newest seq and rights of the named workspaces, of one moment: a process that starts to follow a workspace learns with
-- its place in the log which version of the rights holds there, and can tell a resume ticket of older ones.
DROP FUNCTION hub_heads(bigint[]);
CREATE FUNCTION hub_heads(wanted bigint[]) RETURNS TABLE (workspace_id bigint, head bigint, rights_version bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT w.id, w.event_seq, w.rights_version FROM workspace w WHERE w.id = ANY (wanted) $$;

-- A function's new owner needs CREATE on its schema at that moment, and not afterwards.
GRANT CREATE ON SCHEMA public TO hub_router;
DO $$
DECLARE
    listed text;
BEGIN
    FOR listed IN
        SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        JOIN pg_roles r ON r.oid = p.proowner
        WHERE n.nspname = 'public' AND p.proname LIKE 'hub\_%' AND r.rolname <> 'hub_router'
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', listed);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO hub_app', listed);
        EXECUTE format('ALTER FUNCTION %s OWNER TO hub_router', listed);
    END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM hub_router;
