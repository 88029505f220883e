#!/bin/sh
# Run once by the Postgres image, when the database is made: the login the application uses. It owns nothing, and gets
# its rights from `hub migrate`, which grants it the role hub_app.
set -eu
: "${HUB_DATABASE_PASSWORD:?must be set}"
psql --set ON_ERROR_STOP=1 --set password="$HUB_DATABASE_PASSWORD" --set name="$POSTGRES_DB" \
    --no-psqlrc --quiet --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE hub LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'password';
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE :"name" TO hub;
SQL
