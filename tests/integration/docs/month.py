"""Asks the served model for every hour of January and sends the labels: `python month.py http://127.0.0.1:9000`, beside january.csv."""

from __future__ import annotations

import csv
import http.client
import json
import sys
from urllib.parse import urlsplit

NUMBERS = ("temp", "atemp", "hum", "windspeed")
CODES = ("season", "hr", "holiday", "weekday", "workingday", "weathersit")


def main(address: str) -> None:
    """One connection, two requests an hour."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    with open("january.csv", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file)):
            hour = {name: float(row[name]) for name in NUMBERS} | {name: int(row[name]) for name in CODES}
            asked = {"jsonData": hour | {"dteday": row["dteday"]}}
            _post(connection, "predictions", asked, {"Seldon-Puid": f"hour-{number}"})
            truth = {"data": {"ndarray": [[int(row["cnt"])]]}}
            _post(
                connection, "feedback", {"response": {"meta": {"puid": f"hour-{number}"}}, "truth": truth}, {}
            )


def _post(connection: http.client.HTTPConnection, what: str, body: object, headers: dict[str, str]) -> None:
    given = {"Content-Type": "application/json", **headers}
    connection.request("POST", f"/api/v1.0/{what}", json.dumps(body), given)
    answer = connection.getresponse()
    said = answer.read()
    assert answer.status == 200, said


if __name__ == "__main__":
    main(sys.argv[1])
