#!/usr/bin/env python3
"""Compares our message table (src/codec/schema) field by field with the definitions inside Kafka's published jars.

    check-schemas.py JAR...              compare; prints what differs and "N passed, N failed"
    check-schemas.py --write JAR...      first write the table anew from the jars (facts only, none of the texts)

Each run first alters every kind of fact once, in memory, and sees that it is noticed: a comparison that cannot fail
says nothing.

The two sides are brought to one plain form, a dictionary of facts per message, struct and field, and compared there.
"""
import json
import pathlib
import re
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent / "src" / "codec" / "schema"
HEADERS = ["RequestHeader", "ResponseHeader"]
CONSUMER_PROTOCOL = ["ConsumerProtocolSubscription", "ConsumerProtocolAssignment"]
CONTROL = ["EndTxnMarker", "LeaderChangeMessage", "SnapshotHeaderRecord", "SnapshotFooterRecord",
           "KRaftVersionRecord", "VotersRecord"]
GROUPS = {"offsets": "kafka-group-coordinator", "transaction": "kafka-transaction-coordinator",
          "share": "kafka-share-coordinator"}
EMPTY_DEFAULTS = ("", "0", "false")


# ---- The official side -------------------------------------------------------------------------------------------

def official(jars):
    """Every definition in the jars: name -> (jar, JSON)."""
    found = {}
    for jar in jars:
        with zipfile.ZipFile(jar) as archive:
            for path in archive.namelist():
                if not re.search(r"(^|/)(message|metadata)/[^/]*\.json$", path):
                    continue
                text = re.sub(r"^\s*//.*$", "", archive.read(path).decode(), flags=re.M)
                definition = json.loads(text)
                if "validVersions" in definition:
                    found[definition["name"]] = (pathlib.Path(jar).name, definition)
    return found


def wanted(found):
    """Which file of the table each official message belongs to: file -> names in order."""
    files = {}
    for name, (jar, definition) in found.items():
        kind, key = definition["type"], definition.get("apiKey")
        if definition["validVersions"] == "none":
            continue
        if kind in ("request", "response"):
            api = found_api(found, key)
            files.setdefault(f"api/{key:02}_{snake(api)}", []).append((kind == "response", name))
        elif kind == "metadata" and jar.startswith("kafka-metadata"):
            files.setdefault("metadata", []).append((key, name))
        elif kind.startswith("coordinator"):
            group = next(g for g, start in GROUPS.items() if jar.startswith(start))
            files.setdefault(group, []).append((key, name.endswith("Value"), name))
    ordered = {file: [entry[-1] for entry in sorted(entries)] for file, entries in sorted(files.items())}
    return {**ordered, "header": HEADERS, "consumer_protocol": CONSUMER_PROTOCOL, "control": CONTROL}


def found_api(found, key):
    requests = (n for n, (_, d) in found.items() if d["type"] == "request" and d["apiKey"] == key)
    return next(requests).removesuffix("Request")


def snake(name):
    name = name.replace("KRaft", "Kraft")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def facts_of_json(definition):
    facts = {"kind": definition["type"], "key": str(definition.get("apiKey", "-")),
             "valid": definition["validVersions"], "flexible": definition["flexibleVersions"],
             "unstable": bool(definition.get("latestVersionUnstable")),
             "listeners": ",".join(sorted(definition.get("listeners", []))) or "-",
             "structs": {"": fields_of_json(definition.get("fields", []))}}
    for struct in definition.get("commonStructs", []):
        facts["structs"]["struct " + struct["name"]] = {"versions": struct["versions"]}
        facts["structs"][struct["name"]] = fields_of_json(struct["fields"])
    nested(definition.get("fields", []), facts["structs"])
    for struct in definition.get("commonStructs", []):
        nested(struct["fields"], facts["structs"])
    return facts


def nested(fields, structs):
    for field in fields:
        if "fields" in field:
            structs[field["type"].removeprefix("[]")] = fields_of_json(field["fields"])
            nested(field["fields"], structs)


def fields_of_json(fields):
    facts = {}
    for at, field in enumerate(fields):
        default = field.get("default")
        # A JSON null is no default at all (Kafka's FieldSpec takes it as the empty text); the word "null" is null.
        default = "" if default is None else str(default).lower()
        facts[field["name"]] = {
            "place": at, "type": field["type"], "versions": field.get("versions", field.get("taggedVersions")),
            "null": field.get("nullableVersions", "-"), "tag": str(field.get("tag", "-")),
            "tagged": field.get("taggedVersions", "-"), "default": plain_default(default),
            "ignorable": str(field.get("ignorable", False)).lower() == "true",
            "flexible": field.get("flexibleVersions", "-")}
    return facts


def plain_default(text):
    if text.startswith("0x"):
        text = str(int(text, 16))
    return "" if text in EMPTY_DEFAULTS else text


# ---- The notation: written from the official side, read back for the comparison ----------------------------------

def write_message(definition):
    facts = facts_of_json(definition)
    head = [facts["kind"], facts["key"], definition["name"], facts["valid"], "flexible", facts["flexible"]]
    head += ["on", facts["listeners"]] if facts["listeners"] != "-" else []
    head += ["unstable"] if facts["unstable"] else []
    lines = [" ".join(head)]
    for struct in definition.get("commonStructs", []):
        lines.append(f"  struct {struct['name']} {struct['versions']}")
        write_fields(struct["fields"], 2, lines)
    write_fields(definition.get("fields", []), 1, lines)
    return "\n".join(lines) + "\n"


def write_fields(fields, depth, lines):
    facts = fields_of_json(fields)
    for field in fields:
        f = facts[field["name"]]
        words = [field["name"], f["type"], f["versions"]]
        words += ["null", f["null"]] if f["null"] != "-" else []
        words += ["tag", f["tag"], f["tagged"]] if f["tag"] != "-" else []
        words += ["flexible", f["flexible"]] if f["flexible"] != "-" else []
        words += ["=", f["default"]] if f["default"] else []
        words += ["ignorable"] if f["ignorable"] else []
        lines.append("  " * depth + " ".join(words))
        write_fields(field.get("fields", []), depth + 1, lines)


def table_texts(found):
    """The whole table as the jars would have it: file -> text."""
    return {file: "\n".join(write_message(found[name][1]) for name in names) for file, names in wanted(found).items()}


def write_table(found):
    for file, text in table_texts(found).items():
        path = ROOT / f"{file}.klamm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def read_table(texts):
    """The table as facts: name -> facts, from a dictionary of file texts."""
    messages = {}
    for text in texts.values():
        for block in re.split(r"\n(?=\S)", text):
            lines = [line for line in block.splitlines() if line.strip() and not line.lstrip().startswith("#")]
            if lines:
                name, facts = read_message(lines)
                messages[name] = facts
    return messages


def read_message(lines):
    kind, key, name, valid, _, flexible, *rest = lines[0].split()
    facts = {"kind": kind, "key": key, "valid": valid, "flexible": flexible, "unstable": "unstable" in rest,
             "listeners": rest[rest.index("on") + 1] if "on" in rest else "-", "structs": {"": {}}}
    open_structs = [""]
    for line in lines[1:]:
        depth = (len(line) - len(line.lstrip())) // 2
        words = line.split()
        del open_structs[depth:]
        if words[0] == "struct":
            facts["structs"]["struct " + words[1]] = {"versions": words[2]}
            facts["structs"][words[1]] = {}
            open_structs.append(words[1])
            continue
        fields = facts["structs"].setdefault(open_structs[depth - 1], {})
        fields[words[0]] = read_field(len(fields), words)
        open_structs.append(words[1].removeprefix("[]"))
    return name, facts


def read_field(place, words):
    fact = {"place": place, "type": words[1], "versions": words[2], "null": "-", "tag": "-", "tagged": "-",
            "default": "", "ignorable": False, "flexible": "-"}
    rest = iter(words[3:])
    for word in rest:
        if word == "null":
            fact["null"] = next(rest)
        elif word == "tag":
            fact["tag"], fact["tagged"] = next(rest), next(rest)
        elif word == "flexible":
            fact["flexible"] = next(rest)
        elif word == "=":
            fact["default"] = next(rest)
        elif word == "ignorable":
            fact["ignorable"] = True
        else:
            raise SystemExit(f"cannot read: {' '.join(words)}")
    return fact


# ---- The comparison ----------------------------------------------------------------------------------------------

def compare(ours, found):
    """(facts that agree, what does not)."""
    names = [name for names in wanted(found).values() for name in names]
    passed, wrong = 0, [f"{name}: in our table only" for name in ours if name not in names]
    for name in names:
        if name not in ours:
            wrong.append(f"{name}: missing in our table")
            continue
        good, bad = compare_message(name, ours[name], facts_of_json(found[name][1]))
        passed += good
        wrong += bad
    return passed, wrong


def compare_message(name, ours, theirs):
    good, bad = 0, []
    for where, mine, official_facts in pairs(name, ours, theirs):
        for fact in sorted(set(mine) | set(official_facts)):
            if mine.get(fact) == official_facts.get(fact):
                good += 1
            else:
                bad.append(f"{where}: {fact} is {mine.get(fact)!r}, officially {official_facts.get(fact)!r}")
    return good, bad


def pairs(name, ours, theirs):
    head = lambda facts: {k: v for k, v in facts.items() if k != "structs"}
    yield name, head(ours), head(theirs)
    for struct in sorted(set(ours["structs"]) | set(theirs["structs"])):
        mine, official_struct = ours["structs"].get(struct, {}), theirs["structs"].get(struct, {})
        if struct.startswith("struct "):
            yield f"{name}.{struct}", mine, official_struct
            continue
        for field in sorted(set(mine) | set(official_struct)):
            yield f"{name}.{struct}.{field}", mine.get(field, {}), official_struct.get(field, {})


def self_test(found):
    """Alters one fact of each kind in what the jars say and expects exactly that to be noticed."""
    texts = table_texts(found)
    file = "api/01_fetch"
    changes = {"name": ("MaxWaitMs int32", "MaxWait int32"), "type": ("MinBytes int32", "MinBytes int64"),
               "versions": ("MaxBytes int32 3+", "MaxBytes int32 4+"), "null": ("null 12+ ", ""),
               "tag": ("tag 1 15+", "tag 2 15+"), "tagged versions": ("tag 1 15+", "tag 1 14+"),
               "default": ("= 2147483647", "= 2147483646"), "ignorable": ("SessionId int32 7+ ignorable", "SessionId int32 7+"),
               "valid": ("FetchRequest 4-18", "FetchRequest 4-17"), "flexible": ("flexible 12+", "flexible 11+"),
               "key": ("request 1 ", "request 2 "), "unstable": ("on broker,controller", "on broker,controller unstable"),
               "listeners": ("on broker,controller", "on broker"), "missing field": ("    RackId string 11+", ""),
               "nothing": ("", "")}
    changes["missing field"] = (next(line for line in texts[file].splitlines(True) if "RackId" in line), "")
    failed = 0
    for kind, (before, after) in changes.items():
        altered = dict(texts, **{file: texts[file].replace(before, after, 1)})
        unchanged = altered[file] == texts[file]
        noticed = bool(compare(read_table(altered), found)[1])
        right = not noticed if kind == "nothing" else noticed and not unchanged
        failed += not right
        if not right:
            print(f"self-test: altering {kind} has the wrong effect")
    return len(changes) - failed, failed


def main(arguments):
    options = [a for a in arguments if a.startswith("--")]
    jars = [a for a in arguments if not a.startswith("--")]
    if not jars:
        raise SystemExit(__doc__)
    found = official(jars)
    if "--write" in options:
        write_table(found)
    texts = {str(path.relative_to(ROOT).with_suffix("")): path.read_text() for path in sorted(ROOT.rglob("*.klamm"))}
    passed, failed = self_test(found)
    good, wrong = compare(read_table(texts), found)
    for line in wrong:
        print(line)
    passed, failed = passed + good, failed + len(wrong)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
