#!/bin/sh
# Run once, by the image's entry point, when the folder of the data is empty: a role and a database for each of those who keep something.
set -eu
for name in mlflow triggers; do
    psql --set ON_ERROR_STOP=1 --username postgres --set name="$name" --set password="$(cat "/secrets/${name}_password")" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
done
