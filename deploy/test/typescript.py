"""A JSON schema of an operator's object out of the TypeScript that `cdk8s import` makes of its CustomResourceDefinition."""

from __future__ import annotations

import re
from pathlib import Path

# A member of an interface: the comment names it as the operator does, TypeScript names it as its style wants.
MEMBER = re.compile(
    r"@schema (?P<owner>\w+)#(?P<name>\S+)\n\s*\*/\n\s*readonly \w+(?P<optional>\??): (?P<type>\{[^}]*\}|[^;{]+);"
)
ENUM = re.compile(r"^export declare enum (\w+) \{(.*?)^\}", re.MULTILINE | re.DOTALL)
# Either a number or a text, as quantities are.
UNION = re.compile(r"^export declare class (\w+) \{\s*readonly value: number \| string;", re.MULTILINE)
MAP = re.compile(r"\{\s*\[key: string\]: ([^;]+);\s*\}")
PLAIN = {
    "string": {"type": "string"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "any": {},
    "Date": {"type": "string"},
}


def schema(file: Path, kind: str) -> dict:
    """Of the whole object: it knows no word that the operator does not."""
    text = re.sub(r"\n\s*\* @default [^\n]*", "", file.read_text())
    found: dict[str, dict] = {name: {"type": ["number", "string"]} for name in UNION.findall(text)}
    for name, body in ENUM.findall(text):
        found[name] = {"enum": re.findall(r'= "([^"]*)"', body)}
    for name in re.findall(r"^export interface (\w+) \{", text, re.MULTILINE):
        found[name] = {"type": "object", "additionalProperties": False, "properties": {}, "required": []}
    for member in MEMBER.finditer(text):
        owner = found[member["owner"] if member["owner"] in found else f"{member['owner']}Props"]
        owner["properties"][member["name"]] = _type(member["type"])
        if not member["optional"]:
            owner["required"].append(member["name"])
    members = len(re.findall(r"^    readonly (?!value: )\w+\??: ", text, re.MULTILINE))
    assert members == sum(len(item.get("properties", {})) for item in found.values()), "a member was not understood"
    # Metadata are any object's; what every object has is not in the type.
    found["ApiObjectMetadata"] = {"type": "object"}
    found[f"{kind}Props"]["properties"] |= {"apiVersion": {"type": "string"}, "kind": {"const": kind}}
    return {"$ref": f"#/definitions/{kind}Props", "definitions": found}


def _type(text: str) -> dict:
    if text.endswith("[]"):
        return {"type": "array", "items": _type(text.removesuffix("[]"))}
    if values := MAP.fullmatch(text):
        return {"type": "object", "additionalProperties": _type(values[1])}
    return PLAIN[text] if text in PLAIN else {"$ref": f"#/definitions/{text}"}
