"""Schemas of everything that the chart may make, as strict as an API server that refuses unknown fields."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator

Json = dict[str, Any]

FOLDER = Path(__file__).parents[2] / ".tools" / "kubernetes"


def are_there() -> bool:
    return any(FOLDER.glob("kubernetes-*.json"))


def complaints(manifest: Json) -> list[str]:
    """What is wrong with a manifest: one line per field, none when it is good."""
    validator = _validators()[manifest["apiVersion"], manifest["kind"]]
    return [
        f"{manifest['kind']}/{manifest['metadata']['name']} {'.'.join(map(str, error.absolute_path))}: {error.message:.200}"
        for error in validator.iter_errors(manifest)
    ]


@cache
def _validators() -> dict[tuple[str, str], Draft7Validator]:
    (path,) = FOLDER.glob("kubernetes-*.json")
    definitions: Json = {
        name: _strict(definition) for name, definition in json.loads(path.read_text())["definitions"].items()
    }
    found: dict[tuple[str, str], Draft7Validator] = {}
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", ()):
            version = "/".join(filter(None, (kind["group"], kind["version"])))
            schema = {"$ref": f"#/definitions/{name}", "definitions": definitions}
            found[version, kind["kind"]] = Draft7Validator(schema)
    for path in FOLDER.glob("*.yaml"):
        custom = yaml.safe_load(path.read_text())["spec"]
        for version in custom["versions"]:
            schema = _strict(version["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"type": "object"}
            found[f"{custom['group']}/{version['name']}", custom["names"]["kind"]] = Draft7Validator(schema)
    return found


def _strict(schema: Any) -> Any:
    """The same schema where a field that it does not name is an error; what Kubernetes adds to JSON Schema, translated."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        return {"type": ["integer", "string"]}
    if schema.get("description", "").startswith("Quantity is a fixed-point"):
        return {"type": ["number", "string"], "pattern": r"^[0-9.]+([munkMGTPE]|[KMGTPE]i)?$"}
    strict = {name: _strict(part) for name, part in schema.items() if name not in ("default", "format", "properties")}
    if "properties" in schema:
        strict["properties"] = {name: _strict(part) for name, part in schema["properties"].items()}
        if not (schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema):
            strict["additionalProperties"] = False
    return strict
